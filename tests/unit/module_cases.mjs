// Cases of /eitherway.js that need no server: run by node's own test runner, from test_browser_module.py.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const { Client, JobFailedError, NoAnswerError, ProblemError } = await import(process.env.MODULE);

const asked = []; // of fetch: { url, method, headers, body }
const sockets = [];
let script = []; // answers, one after the other: a Response, or an error to throw

globalThis.fetch = async (url, options) => {
  asked.push({ url: String(url), ...options });
  options.signal?.throwIfAborted();
  const answer = script.shift() ?? new Promise((_, reject) => {
    options.signal?.addEventListener("abort", () => reject(options.signal.reason));
  });
  if (answer instanceof Error) throw answer;
  return answer;
};

globalThis.WebSocket = class {
  static OPEN = 1;
  constructor(url, protocol) {
    Object.assign(this, { url: String(url), protocol, sent: [], readyState: 0 });
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close(code) {
    this.closedWith = code;
  }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
  tells(id, number, status, cursor) {
    const sequence = String(number).padStart(12, "0");
    const data = { id, status, done: ["succeeded", "failed", "canceled"].includes(status), result: number };
    this.onmessage({ data: JSON.stringify({ subject: id, sequence, cursor, data }) });
  }
};

// Chance is at its least: pauses take no time.
Math.random = () => 0;

const json = (status, value, headers = {}) => new Response(JSON.stringify(value), { status, headers });
const problem = (status, name, headers = {}) =>
  json(status, { type: `/problems/${name}`, title: "No", status }, { "content-type": "application/problem+json", ...headers });
const shown = (status, number, more = {}) =>
  json(200, { id: "j", status, done: status === "succeeded", ...more }, { etag: `W/"${number}"` });
const later = { "retry-after": "0" };
const accepted = (id = "j") => json(202, { id, status: "queued" }, { "operation-location": `http://shop/jobs/${id}` });
const client = (options = {}) => new Client({ url: "http://shop/root/", attempts: 3, ...options });
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
async function until(condition) {
  while (!condition()) await turn();
  return condition();
}

beforeEach(() => {
  asked.length = sockets.length = 0;
  script = [];
});

test("a request has its key, its wish, its body and its credential", async () => {
  script = [json(200, 1), json(200, 2), new Response(null, { status: 204 })];
  const shop = client({ token: async () => "t", headers: { "x-a": "b" } });
  assert.equal(await shop.call("POST", "/a", { json: { n: 1 }, headers: { traceparent: "00-1" } }), 1);
  assert.equal(await shop.call("GET", "/a"), 2);
  const job = await shop.submit("DELETE", "/a", { idempotencyKey: 'k"\\' });
  assert.deepEqual([job.id, await job.result(), await job.status()], [null, null, "succeeded"]);
  const [post, get, del] = asked;
  assert.deepEqual([post.url, post.body], ["http://shop/root/a", '{"n":1}']);
  assert.match(post.headers["idempotency-key"], /^"[0-9a-f]{32}"$/);
  assert.equal(post.headers.prefer, "wait=20");
  assert.equal(post.headers["content-type"], "application/json");
  assert.deepEqual([post.headers.traceparent, post.headers["x-a"]], ["00-1", "b"]);
  assert.deepEqual(Object.keys(get.headers).sort(), ["authorization", "x-a"]);
  assert.equal(get.headers.authorization, "Bearer t");
  assert.deepEqual([del.headers.prefer, del.headers["idempotency-key"]], ["respond-async", '"k\\"\\\\"']);
});

test("what may be otherwise later is asked again, under one key", async () => {
  for (const first of [
    new TypeError("fetch failed"),
    problem(503, "overloaded", later),
    problem(429, "x", later),
    problem(409, "idempotency-key-in-use", later),
    new Response("<h1>Bad Gateway", { status: 502 }),
    new Response("", { status: 503 }),
  ]) {
    script = [first, json(200, 1)];
    assert.equal(await client().call("POST", "/a"), 1);
  }
  const keys = asked.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 12);
  assert.equal(new Set(keys).size, 6);
});

test("what stays as it is is an error at once", async () => {
  for (const [status, name] of [[422, "invalid-input"], [409, "rejected"], [500, "internal-error"], [503, "retry-later"], [504, "timed-out"]]) {
    script = [problem(status, name)];
    await assert.rejects(client().call("POST", "/a"), (error) => error instanceof ProblemError && error.status === status);
  }
  assert.equal(asked.length, 5);
});

test("a job without a record yet is asked for as its receipt says", async () => {
  const links = { self: "http://shop/root/jobs/j?accepted=17" };
  const receipt = json(202, { id: "j", status: "queued", links }, { "operation-location": links.self });
  const unseen = () => json(200, { id: "j", status: "queued", done: false, recorded: false, created: "2027-01-01T00:00:00Z" });
  script = [receipt, unseen(), unseen(), unseen(), shown("succeeded", 3, { result: 5 })];
  const shop = client();
  shop.use("poll");
  const job = await shop.submit("POST", "/a");
  assert.equal(await job.status(), "queued");
  assert.equal(await job.result(), 5);
  assert.deepEqual([...new Set(asked.slice(1).map(({ url }) => url))], ["http://shop/root/jobs/j?accepted=17"]);
  const streamed = client();
  streamed.use("sse");
  script = [json(202, { id: "k", status: "queued", links }, { "operation-location": links.self })];
  const other = await streamed.submit("POST", "/a");
  const stop = new AbortController();
  const reading = assert.rejects(other.result({ signal: stop.signal }));
  await until(() => asked.at(-1).url.includes("/events"));
  assert.equal(asked.at(-1).url, "http://shop/root/events?jobs=k&accepted=17");
  stop.abort();
  await reading;
});

test("it gives up after so many tries, or so long", async () => {
  script = [1, 2, 3].map(() => new TypeError("fetch failed"));
  await assert.rejects(client().call("POST", "/a"), NoAnswerError);
  script = [problem(503, "overloaded", { "retry-after": "61" })];
  await assert.rejects(client().call("POST", "/a"), (error) => error.status === 503);
  assert.equal(asked.length, 4);
});

test("each connection has a ticket of its own", async () => {
  script = ["t1", "t2"].map((ticket) => json(200, { ticket, expires: "2027-01-01T00:00:00Z" }));
  const told = client({ token: "secret" }).job("j").result();
  (await until(() => sockets[0])).onclose({ code: 1006, reason: "" });
  const second = await until(() => sockets[1]);
  second.opens();
  second.tells("j", 1, "succeeded", "c1");
  assert.equal(await told, 1);
  assert.deepEqual(sockets.map(({ url }) => url), ["t1", "t2"].map((t) => `ws://shop/root/events?ticket=${t}`));
  assert.deepEqual(asked.map(({ method, url, headers }) => [method, url, headers.authorization]), [
    ["POST", "http://shop/root/tickets", "Bearer secret"],
    ["POST", "http://shop/root/tickets", "Bearer secret"],
  ]);
  assert.ok(!sockets.some(({ url }) => url.includes("secret")));
});

test("a credential that is refused ends the wait", async () => {
  script = [problem(401, "unauthorized")];
  await assert.rejects(client({ token: "old" }).job("j").result(), (error) => error.status === 401);
});

test("a job goes on after its own last event, and hears each once", async () => {
  const shop = client({ prefix: "/api" });
  const heard = { a: [], b: [] };
  const follow = async (id) => {
    for await (const { sequence, via } of shop.job(id).events()) heard[id].push(`${Number(sequence)} ${via}`);
  };
  const both = [follow("a"), follow("b")];
  const first = await until(() => sockets[0]);
  assert.equal(first.url, "ws://shop/root/api/events");
  assert.equal(first.protocol, "cloudevents.json");
  first.opens();
  assert.deepEqual(first.sent, [{ subscribe: ["a", "b"] }]);
  first.tells("a", 1, "queued"); // they begin together: the last one's cursor is for both
  first.tells("b", 1, "queued", "c1");
  first.tells("b", 2, "running", "c3");
  first.onclose({ code: 1012, reason: "" });
  const second = await until(() => sockets[1]);
  second.opens();
  assert.deepEqual(second.sent, [{ subscribe: ["a"], after: "c1" }, { subscribe: ["b"], after: "c3" }]);
  second.tells("b", 2, "running", "c3");
  second.tells("a", 2, "succeeded", "c4");
  assert.deepEqual(second.sent[2], { unsubscribe: ["a"] });
  second.onclose({ code: 4410, reason: "" });
  const third = await until(() => sockets[2]);
  third.opens();
  assert.deepEqual(third.sent, [{ subscribe: ["b"] }]);
  third.tells("b", 3, "canceled", "c9");
  await Promise.all(both);
  assert.deepEqual(heard, { a: ["1 websocket", "2 websocket"], b: ["1 websocket", "2 websocket", "3 websocket"] });
  assert.equal(third.closedWith, 1000, "nobody follows a job any more");
});

test("a job that is not known ends, and the others go on", async () => {
  const shop = client();
  const [gone, other] = [shop.job("gone").result(), shop.job("other").result()];
  const first = await until(() => sockets[0]);
  first.opens();
  script = [problem(404, "unknown-job")];
  first.onclose({ code: 4404, reason: "unknown: gone" });
  await assert.rejects(gone, (error) => error.status === 404);
  const second = await until(() => sockets[1]);
  second.opens();
  assert.deepEqual(second.sent, [{ subscribe: ["other"] }]);
  second.tells("other", 1, "succeeded", "c1");
  assert.equal(await other, 1);
});

test("where no WebSocket opens, a stream; where none does, polls", async () => {
  const heard = [];
  const by = [];
  const shop = client({ connected: (transport) => by.push(transport) });
  const end = (async () => {
    for await (const event of shop.job("j").events()) heard.push(event);
  })();
  for (const n of [0, 1]) (await until(() => sockets[n])).onclose({ code: 1006, reason: "" });
  await until(() => asked.length === 1);
  assert.equal(asked[0].url, "http://shop/root/events?jobs=j");
  const event = { subject: "j", sequence: "000000000001", cursor: "c1", data: { status: "queued", done: false } };
  const body = `retry: 1000\n\n: hello\n\nid: c1\ndata: ${JSON.stringify(event)}\n\nid: c2\ndata: {"cut`;
  script = [new TypeError("refused"), new TypeError("refused"), shown("queued", 1), shown("running", 2), shown("succeeded", 3)];
  // the first stream, and after it nothing
  shop.use("sse", "poll");
  script.unshift(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  await end;
  assert.deepEqual(heard.map(({ sequence, via }) => `${Number(sequence)} ${via}`), ["1 sse", "2 poll", "3 poll"]);
  assert.deepEqual(asked.slice(2, 4).map(({ headers }) => headers["last-event-id"]), ["c1", "c1"]);
  const polls = asked.slice(4).map(({ url, headers }) => [url, headers["if-none-match"], headers.prefer]);
  assert.deepEqual(polls.slice(0, 2), [
    ["http://shop/root/jobs/j", 'W/"1"', "wait=20"],
    ["http://shop/root/jobs/j", 'W/"1"', "wait=20"],
  ]);
  assert.deepEqual(by.filter(Boolean), ["sse", "poll"]);
});

const event = (subject, number, status = "queued", cursor = undefined) => {
  const data = { id: subject, status, done: status === "succeeded", result: subject };
  return { subject, sequence: String(number).padStart(12, "0"), cursor, data };
};
const streamOf = (...events) => {
  const text = events.map((one) => `id: c\ndata: ${JSON.stringify(one)}\n\n`).join("");
  const start = (body) => body.enqueue(new TextEncoder().encode(text)); // and it never ends
  return new Response(new ReadableStream({ start }), { headers: { "content-type": "text/event-stream" } });
};
const paths = () => asked.map(({ url }) => url.replace("http://shop/root", ""));

test("a stream that never ends is left, and the next one is followed", async () => {
  const shop = client({ transports: ["sse"] });
  script = [streamOf(event("a", 3, "succeeded", "of a")), shown("queued", 1), streamOf(event("j", 3, "succeeded", "of j"))];
  assert.equal(await shop.job("a").result(), "a");
  assert.equal(await shop.job("j").result(), "j");
  assert.deepEqual(paths(), ["/events?jobs=a", "/jobs/j", "/events?jobs=j"]);
  assert.equal(asked[2].headers["last-event-id"], "of a");
});

test("a job is looked at once, however often its stream is cut before it opens", async () => {
  const shop = client({ transports: ["sse"] });
  const heard = { a: [], j: [] };
  const follow = async (id) => {
    for await (const { sequence } of shop.job(id).events()) heard[id].push(Number(sequence));
  };
  script = [streamOf(event("a", 1, "queued", "c1"))];
  const first = follow("a");
  await until(() => heard.a.length === 1);
  const cut = new TypeError("terminated");
  const rest = [event("j", 2, "running", "c2"), event("j", 3, "succeeded", "c3"), event("a", 2, "succeeded", "c4")];
  script = [shown("queued", 1), cut, cut, streamOf(...rest)];
  await Promise.all([first, follow("j")]);
  assert.deepEqual(paths(), ["/events?jobs=a", "/jobs/j", ...Array(3).fill("/events?jobs=a,j")]);
  assert.deepEqual([...new Set(asked.slice(2).map(({ headers }) => headers["last-event-id"]))], ["c1"]);
  assert.deepEqual(heard, { a: [1, 2], j: [1, 2, 3] });
});

test("a job that was left is looked at when it is followed again", async () => {
  const shop = client({ transports: ["sse"] });
  script = [streamOf(event("a", 3, "succeeded", "c1")), shown("succeeded", 3, { result: 5 })];
  assert.equal(await shop.job("a").result(), "a");
  assert.equal(await shop.job("a").result(), 5);
  assert.deepEqual(paths(), ["/events?jobs=a", "/jobs/a"]);
});

test("a failed job says what a direct call says, and a signal ends a wait", async () => {
  const shop = client({ transports: ["poll"] });
  script = [shown("failed", 2, { done: true, error: { title: "No", status: 409, kind: "rejected" } })];
  const failed = await shop.job("j").result().catch((error) => error);
  assert.ok(failed instanceof JobFailedError);
  assert.deepEqual([failed.status, failed.kind, failed.jobId, failed.message], [409, "rejected", "j", "job j failed: 409 No"]);
  const reason = new Error("enough");
  await assert.rejects(shop.job("k").result({ signal: AbortSignal.abort(reason) }), reason);
});

test("who is told that it ended does not delete it", async () => {
  script = [shown("succeeded", 3), shown("queued", 1), new Response(null, { status: 204 })];
  const job = client().job("j");
  assert.deepEqual([await job.cancel(), await job.cancel()], [false, false]);
  assert.deepEqual(asked.map(({ method }) => method), ["GET", "GET", "DELETE"]);
});

test("nothing is heard between disconnect and connect", async () => {
  const by = [];
  const shop = client({ connected: (transport) => by.push(transport) });
  shop.connect();
  (await until(() => sockets[0])).opens();
  const told = shop.job("j").result();
  assert.deepEqual(sockets[0].sent, [{ subscribe: ["j"] }]);
  shop.disconnect();
  await until(() => by.at(-1) === null);
  assert.equal(sockets[0].closedWith, 1000);
  shop.connect();
  (await until(() => sockets[1])).opens();
  sockets[1].tells("j", 1, "succeeded", "c1");
  assert.equal(await told, 1);
  assert.deepEqual(by, ["websocket", null, "websocket"]);
  shop.disconnect();
});
