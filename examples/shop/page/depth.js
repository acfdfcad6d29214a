// The queue's depth over the last minute, drawn with uPlot.

/* global uPlot */
const SECONDS = 60;
const HEIGHT = 220;

export class Depth {
  constructor(place) {
    this.place = place;
    this.times = [];
    this.depths = [];
    this.plot = null;
    this.draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(place);
  }

  add(depth) {
    const now = performance.now() / 1000;
    this.times.push(now);
    this.depths.push(depth);
    while (this.times[0] < now - SECONDS - 1) {
      this.times.shift();
      this.depths.shift();
    }
    const most = Math.max(...this.depths);
    this.place.setAttribute(
      "aria-label",
      `${depth} orders wait now; at most ${most} did in the last minute.`,
    );
    this.plot.setData(this.data());
  }

  data() {
    const now = this.times.at(-1);
    return [this.times.map((time) => time - now), this.depths];
  }

  resize() {
    const width = Math.floor(this.place.clientWidth);
    if (width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  draw() {
    this.plot?.destroy();
    const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const ago = (seconds) => (seconds === 0 ? "now" : `${-seconds} s ago`);
    const options = {
      width: Math.floor(this.place.clientWidth) || 300,
      height: HEIGHT,
      padding: [12, 24, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: false, range: [-SECONDS, 0] },
        y: { range: (_, __, most) => [0, Math.max(10, most * 1.1)] },
      },
      axes: [
        { ...axis, size: 30, splits: () => [-60, -40, -20, 0], values: (_, at) => at.map(ago) },
        { ...axis, size: 48, values: (_, at) => at.map((n) => (n % 1 ? "" : String(n))) },
      ],
      series: [
        {},
        {
          stroke: colour("--flow"),
          fill: colour("--flow-faint"),
          width: 2,
          points: { show: false },
        },
      ],
    };
    this.plot = new uPlot(options, this.data(), this.place);
  }
}
