// A lane's counts, and what each of them means.

const rows = (yes) => [
  ["accepted", "Accepted", `got a ${yes}`],
  ["refused", "Refused", "got a 503"],
  ["committed", "Committed", "in the table"],
  ["told", "Told", "know it is done"],
  ["retried", "Retried", "extra attempts"],
  ["lost", "Lost", "unless sent again"],
];

export const number = new Intl.NumberFormat("en").format;
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

// For the boxes of the picture, which are narrow.
export const brief = (count) => (count < 10000 ? number(count) : compact.format(count));

export class Counts {
  constructor(list, yes) {
    this.values = {};
    for (const [key, name, meaning] of rows(yes)) {
      const group = document.createElement("div");
      group.dataset.count = key;
      const term = document.createElement("dt");
      term.textContent = name;
      const small = document.createElement("small");
      small.textContent = meaning;
      term.append(small);
      const value = document.createElement("dd");
      value.textContent = "0";
      this.values[key] = value;
      group.append(term, value);
      list.append(group);
    }
  }

  show(counts) {
    for (const [key, node] of Object.entries(this.values)) {
      const text = number(counts[key]);
      if (node.textContent !== text) node.textContent = text;
      node.classList.toggle("bad", counts[key] > 0 && (key === "refused" || key === "lost"));
    }
  }
}
