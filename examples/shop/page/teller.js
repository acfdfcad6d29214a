// Learns how jobs ended: over the WebSocket, or by status queries.
//
// The socket resumes by cursor: what ended while it was away is told when it is back. Where it stays
// away, the status query takes over.

import { awaitJob } from "./api.js";

const SUBSCRIBE_MAX = 100; // jobs in one frame
const FOLLOWED_MAX = 900; // jobs on the connection; the server takes 1,000
const BACK_AFTER_MS = 1000;
const CUT_MS = 3000;
const PATIENCE_MS = 6000; // away for longer: ask instead
const LATELY_MAX = 200;
const POLLERS = 3; // a browser has six connections to a server
const UNKNOWN_JOB = 4404;
const CURSOR_GONE = 4410;

export class Teller {
  constructor({ told, connected }) {
    this.told = told; // (id, job document, "WebSocket" or "status")
    this.connected = connected; // (what the connection is doing, in words)
    this.pending = new Set(); // jobs whose end we do not know yet
    this.asked = new Set(); // of those, the ones a status query is out for
    this.ended = new Set();
    this.lately = new Map(); // the last of those, with what was told: a 202 may come after the news
    this.subscribed = new Set(); // on this connection
    this.cursor = null;
    this.socket = null;
    this.asking = false; // the user wants status queries
    this.awaySince = performance.now();
    this.connect();
    for (let n = 0; n < POLLERS; n += 1) this.poll();
  }

  follow(ids) {
    for (const id of ids) if (!this.ended.has(id)) this.pending.add(id);
    this.subscribe();
  }

  by(way) {
    this.asking = way === "status";
    if (this.asking) this.socket?.close(1000);
    else if (!this.socket) this.connect();
  }

  cut() {
    if (!this.socket || this.asking) return;
    this.backAfter = CUT_MS;
    this.connected("cut, back in 3 s");
    this.socket.close(1000);
  }

  connect() {
    if (this.asking) return;
    const url = new URL("/events", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, "cloudevents.json");
    this.socket = socket;
    this.subscribed.clear();
    socket.onopen = () => {
      this.awaySince = Infinity;
      this.connected("connected");
      this.subscribe(this.cursor);
    };
    socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    socket.onclose = (event) => this.closed(event.code);
  }

  closed(code) {
    this.socket = null;
    this.awaySince = Math.min(this.awaySince, performance.now());
    if (code === UNKNOWN_JOB) this.pending.clear();
    if (code === CURSOR_GONE) this.cursor = null;
    if (this.asking) return this.connected("not used");
    if (!this.backAfter) this.connected("away, coming back");
    setTimeout(() => this.socket || this.connect(), this.backAfter ?? BACK_AFTER_MS);
    this.backAfter = null;
    return undefined;
  }

  subscribe(after = null) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const room = FOLLOWED_MAX - this.subscribed.size;
    const fresh = [...this.pending].filter((id) => !this.subscribed.has(id)).slice(0, room);
    for (let at = 0; at < fresh.length; at += SUBSCRIBE_MAX) {
      const jobs = fresh.slice(at, at + SUBSCRIBE_MAX);
      for (const id of jobs) this.subscribed.add(id);
      this.socket.send(JSON.stringify(after ? { subscribe: jobs, after } : { subscribe: jobs }));
    }
  }

  receive(event) {
    this.cursor = event.cursor ?? this.cursor;
    if (!event.data?.done) return;
    this.end(event.subject, event.data, "WebSocket");
    this.subscribed.delete(event.subject);
    this.socket?.send(JSON.stringify({ unsubscribe: [event.subject] }));
  }

  end(id, job, by) {
    if (!this.pending.delete(id)) return;
    this.ended.add(id);
    this.lately.set(id, { job, by });
    if (this.lately.size > LATELY_MAX) this.lately.delete(this.lately.keys().next().value);
    this.told(id, job, by);
  }

  // -- status queries ---------------------------------------------------------------------------

  next() {
    if (!this.asking && performance.now() - this.awaySince < PATIENCE_MS) return undefined;
    for (const id of this.pending) if (!this.asked.has(id)) return id;
    return undefined;
  }

  async poll() {
    for (;;) {
      const id = this.next();
      if (id === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      this.asked.add(id);
      try {
        const job = await awaitJob(id);
        if (job === null) this.pending.delete(id);
        else if (job.done) this.end(id, job, "status");
      } catch {
        await new Promise((resolve) => setTimeout(resolve, BACK_AFTER_MS));
      } finally {
        this.asked.delete(id);
      }
    }
  }
}
