// The picture of a lane: boxes, arrows, a figure in each box. Drawn once, as SVG.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 50;
const ROW = { gateway: 70, queue: 152, work: 234, table: 316 };

const box = (key, cloud, ours, x, y, width) => ({ key, cloud, ours, x, y, width });

const direct = {
  label: "Browser, API Gateway, Lambda, DynamoDB: the answer goes back the same way.",
  boxes: [
    box("gateway", "API Gateway", "gateway", 16, ROW.gateway, 176),
    box("work", "Lambda", "handler", 16, ROW.work, 176),
    box("table", "DynamoDB", "table", 16, ROW.table, 176),
  ],
  arrows: ["M88 34V66", "M88 120V230", "M88 284V312"],
  answers: ["M120 70V38", "M120 234V124", "M120 316V288"],
  notes: [
    [130, 57, "200 or 503"],
    [212, 167, "No queue here:"],
    [212, 184, "an order finds room"],
    [212, 201, "at once, or it is sent"],
    [212, 218, "away."],
  ],
  routes: {
    served: [[[88, 34], [88, 330]], [[120, 330], [120, 34]]],
    refused: [[[88, 34], [88, 90]], [[120, 90], [120, 34]]],
  },
};

const queued = {
  label: "Browser, API Gateway, SQS, Lambda, DynamoDB; then WebSocket or Status tells the browser.",
  boxes: [
    box("gateway", "API Gateway", "gateway", 16, ROW.gateway, 176),
    box("queue", "SQS", "queue", 16, ROW.queue, 176),
    box("work", "Lambda", "worker", 16, ROW.work, 176),
    box("table", "DynamoDB", "table", 16, ROW.table, 176),
    box("status", "Status", "status", 226, ROW.queue, 112),
    box("push", "WebSocket", "push", 226, ROW.table, 138),
  ],
  arrows: ["M88 34V66", "M88 120V148", "M88 202V230", "M88 284V312"],
  answers: [
    "M120 70V38", "M192 346H222", "M352 316V38",
    "M192 332H209V177H222", "M282 152V38",
  ],
  notes: [[130, 57, "202"]],
  routes: {
    stored: [[[88, 34], [88, 170]]],
    confirmed: [[[120, 90], [120, 34]]],
    refused: [[[88, 34], [88, 90]], [[120, 90], [120, 34]]],
    worked: [[[88, 190], [88, 330]]],
    WebSocket: [[[180, 346], [352, 346], [352, 34]]],
    status: [[[180, 332], [209, 332], [209, 177], [282, 177], [282, 34]]],
  },
};

export const layouts = { direct, queued };

function draw(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function drawBox(svg, { cloud, ours, x, y, width }) {
  const group = draw(svg, "g", { class: "box" });
  draw(group, "rect", { x, y, width, height: HEIGHT, rx: 6 });
  draw(group, "text", { x: x + 12, y: y + 21, class: "cloud" }, cloud);
  draw(group, "text", { x: x + 12, y: y + 39, class: "ours" }, ours);
  return draw(group, "text", { x: x + width - 12, y: y + 39, class: "figure" }, "");
}

// Draws a lane into `place`. `show(key, text)` sets a box's figure; `dots` is the layer for dots.
export function drawLane(place, layout) {
  const id = place.id;
  const svg = draw(place, "svg", { viewBox: "0 0 372 370", role: "img", "aria-label": layout.label });
  const defs = draw(svg, "defs", {});
  for (const name of ["order", "answer"]) {
    const marker = draw(defs, "marker", {
      id: `${id}-${name}`, class: name, viewBox: "0 0 8 8", refX: 4, refY: 4,
      markerWidth: 7, markerHeight: 7, orient: "auto",
    });
    draw(marker, "path", { d: "M0 0L8 4L0 8z" });
  }
  const line = (name) => (d) =>
    draw(svg, "path", { d, class: `line ${name}`, "marker-end": `url(#${id}-${name})` });
  layout.arrows.forEach(line("order"));
  layout.answers.forEach(line("answer"));
  for (const [x, y, text] of layout.notes) draw(svg, "text", { x, y, class: "note" }, text);
  const dots = draw(svg, "g", { class: "dots" });
  draw(svg, "rect", { x: 8, y: 4, width: 356, height: 30, rx: 15, class: "you" });
  draw(svg, "text", { x: 186, y: 24, class: "you" }, "Your browser");
  const figures = Object.fromEntries(layout.boxes.map((each) => [each.key, drawBox(svg, each)]));
  const show = (key, text) => {
    if (figures[key].textContent !== text) figures[key].textContent = text;
  };
  return { dots, show };
}
