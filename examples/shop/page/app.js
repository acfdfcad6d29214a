// The page: buttons and sliders act, four times a second the counts are read, and orders are told.

import { brief, Counts } from "./counts.js";
import { Depth } from "./depth.js";
import { Dots } from "./dots.js";
import { Orders } from "./orders.js";
import { drawLane, layouts } from "./picture.js";
import { Teller } from "./teller.js";

const EVERY_MS = 250;
const RETRY_MS = 1000;
const BURST = { count: 500, seconds: 2 };

const byId = (id) => document.getElementById(id);
const pictures = {};
const dots = {};
const counts = {};
for (const way of ["direct", "queued"]) {
  pictures[way] = drawLane(byId(`${way}-picture`), layouts[way]);
  dots[way] = new Dots(pictures[way].dots, layouts[way].routes);
  counts[way] = new Counts(byId(`${way}-counts`), way === "direct" ? 200 : 202);
}
const depth = new Depth(byId("depth"));
const orders = new Orders(byId("orders"));
const news = [];

function announce(text) {
  news.push(text);
  byId("news").textContent = news.slice(-2).join(" ");
  news.splice(0, news.length - 1);
}

const teller = new Teller((words) => {
  byId("connection").textContent = words;
  byId("cut").disabled = words !== "connected";
});
const { shop, told } = teller;

// -- sending ------------------------------------------------------------------------------------

let sent = 0;

async function sendOne(way, orderId) {
  const row = orders.add(orderId, way);
  const options = { json: { order_id: orderId, amount: 19.9 } };
  const start = performance.now();
  const ms = () => performance.now() - start;
  try {
    if (way === "direct") {
      await shop.call("POST", "/orders/direct", options);
      announce(`Request-response: ${orders.answered(row, 200, ms())}.`);
    } else {
      const job = await shop.submit("POST", "/orders", options);
      orders.confirmed(row, ms());
      announce(`Event-driven: ${orders.told(row, await teller.end(job), ms())}.`);
    }
  } catch ({ status }) {
    const lane = way === "direct" ? "Request-response" : "Event-driven";
    if (status) announce(`${lane}: ${orders.answered(row, status, ms())}.`);
    else orders.set(row, "refused", "no answer: is the server still there?");
  }
}

async function send(button) {
  const ways = button.dataset.ways.split(" ");
  if (button.dataset.send === "burst") {
    announce(`Sending ${BURST.count} orders${ways.length > 1 ? " each way" : ""}.`);
    await shop.call("POST", "/demo/bursts", { json: { ways, ...BURST } });
    return;
  }
  sent += 1;
  await Promise.all(ways.map((way) => sendOne(way, `web-${sent}${way === "direct" ? "d" : "q"}`)));
}

for (const button of document.querySelectorAll("[data-send]")) {
  button.addEventListener("click", () => send(button).catch(() => announce("No answer.")));
}

// -- settings -----------------------------------------------------------------------------------

const sliders = [...document.querySelectorAll("input[type=range]")];
const learn = byId("learn");
const label = (slider) => {
  const output = document.querySelector(`output[for=${slider.id}]`);
  output.textContent = slider.value + slider.dataset.unit;
};
let changing = 0; // sliders are the user's until the server has heard of it

async function change() {
  changing += 1;
  const settings = Object.fromEntries(sliders.map(({ id, value }) => [id, Number(value)]));
  settings.learn = learn.checked;
  const sending = shop.call("PUT", "/demo/settings", { json: settings });
  await sending.catch(() => announce("The setting did not arrive."));
  changing -= 1;
}

for (const slider of sliders) {
  slider.addEventListener("input", () => label(slider));
  slider.addEventListener("change", change);
}
learn.addEventListener("change", change);

function showSettings(settings) {
  for (const slider of sliders) {
    if (changing || document.activeElement === slider) continue;
    slider.value = settings[slider.id];
    label(slider);
  }
  if (!changing) learn.checked = settings.learn;
}

for (const choice of document.querySelectorAll("input[name=telling]")) {
  choice.addEventListener("change", () => teller.by(choice.value));
}
byId("cut").addEventListener("click", () => teller.cut());

// -- four times a second --------------------------------------------------------------------------

let last = null; // the state before
let after = 0;
let boot = null;

function moveDots(now) {
  const more = (way, key) => now[way][key] - last[way][key];
  dots.direct.send("served", more("direct", "accepted"), ["", "answer"]);
  const failed = more("direct", "refused") + more("direct", "failed");
  dots.direct.send("refused", failed, ["", "refused"]);
  dots.queued.send("stored", more("queued", "accepted"), [""]);
  dots.queued.send("confirmed", more("queued", "accepted"), ["answer"]);
  dots.queued.send("refused", more("queued", "refused"), ["", "refused"]);
  dots.queued.send("worked", more("queued", "committed"), [""]);
  for (const by of ["WebSocket", "status"]) {
    dots.queued.send(by, now.told[by] - last.told[by], ["answer"]);
  }
}

function show(now) {
  const { direct, queued } = now;
  const arrived = (lane) => brief(lane.accepted + lane.refused + lane.failed);
  pictures.direct.show("gateway", `${arrived(direct)} in`);
  pictures.direct.show("work", `${direct.running} at work`);
  pictures.direct.show("table", `${brief(direct.committed)} stored`);
  pictures.queued.show("gateway", `${arrived(queued)} in`);
  pictures.queued.show("queue", `${brief(queued.waiting)} waiting`);
  pictures.queued.show("work", `${queued.running} at work`);
  pictures.queued.show("table", `${brief(queued.committed)} stored`);
  pictures.queued.show("push", `${brief(told.WebSocket)} told`);
  pictures.queued.show("status", `${brief(told.status)}`);
  counts.direct.show({ ...direct, told: direct.accepted, lost: direct.refused + direct.failed });
  const known = queued.committed + queued.waiting + queued.running + queued.dead;
  counts.queued.show({
    ...queued,
    told: told.WebSocket + told.status,
    lost: Math.max(0, queued.accepted - known),
  });
  depth.add(queued.waiting);
  byId("learnt").textContent = now.learnt === null ? "" : `learnt: ${now.learnt} a second`;
}

async function refresh() {
  const now = await shop.call("GET", `/demo/state?after=${after}`);
  if (boot !== null && boot !== now.boot) return location.reload(); // another server, empty again
  boot = now.boot;
  after = now.next;
  teller.follow(now.jobs);
  now.told = { ...told };
  showSettings(now.settings);
  show(now);
  if (last) moveDots(now);
  last = now;
  return undefined;
}

async function watch() {
  let answering = true;
  for (;;) {
    const answered = await refresh().then(() => true, () => false);
    if (!answered && answering) announce("The server does not answer.");
    if (answered && !answering) announce("The server answers again.");
    answering = answered;
    await new Promise((resolve) => setTimeout(resolve, answered ? EVERY_MS : RETRY_MS));
  }
}

watch();
