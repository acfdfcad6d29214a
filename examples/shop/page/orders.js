// The list of the orders that were sent one by one: each one's way from click to told.

const SHOWN_MAX = 12;
const NAMES = { direct: "request-response", queued: "event-driven" };

export const duration = (ms) => (ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(2)} s`);

function span(name, text) {
  const node = document.createElement("span");
  node.className = name;
  node.textContent = text;
  return node;
}

export class Orders {
  constructor(list) {
    this.list = list;
  }

  add(orderId, way) {
    const row = document.createElement("li");
    row.dataset.way = way;
    row.append(span("order", orderId), span("way", NAMES[way]), span("steps", "sent"));
    this.list.prepend(row);
    while (this.list.children.length > SHOWN_MAX) this.list.lastElementChild.remove();
    return row;
  }

  set(row, state, ...steps) {
    row.dataset.state = state;
    row.lastElementChild.replaceChildren(...steps.map((step) => span("step", step)));
  }

  // An answer on the same call. Gives the sentence for the live region.
  answered(row, status, ms) {
    const time = duration(ms);
    if (status === 200) {
      this.set(row, "told", `accepted, committed and told after ${time}, on the same call`);
    } else if (status === 503) {
      this.set(row, "refused", `refused after ${time} (503): it has to be sent again`);
    } else {
      this.set(row, "refused", `failed after ${time} (${status}): it has to be sent again`);
    }
    return row.lastElementChild.textContent;
  }

  confirmed(row, ms) {
    this.set(row, "accepted", `accepted ${duration(ms)}`, "waiting to be told");
    row.accepted = ms;
  }

  // Its job has ended. Gives the sentence.
  told(row, { job, by }, ms) {
    const worked = Date.parse(job.finished) - Date.parse(job.created);
    const committed = Math.min(ms, Math.max(1, worked));
    const attempts = job.attempts.length > 1 ? ` (attempt ${job.attempts.length})` : "";
    const done = job.status === "succeeded" ? "committed" : job.status;
    this.set(
      row,
      "told",
      `accepted ${duration(row.accepted)}`,
      `${done} ${duration(committed)}${attempts}`,
      `told ${duration(ms)} by ${by}`,
    );
    return `${done}, told after ${duration(ms)} by ${by}`;
  }
}
