// Calls operations from a page, or from Node 20 and later, whichever way they are served.
//
//   import { Client } from "/eitherway.js";
//   const shop = new Client();
//   const order = await shop.call("POST", "/orders", { json: { order_id: "A-1" } });

const HERE = new URL(".", import.meta.url).href;
const SAFE = ["GET", "HEAD", "OPTIONS"];
const FOLLOWED_MAX = 900; // jobs on a WebSocket; the server takes 1,000
const SUBSCRIBE_MAX = 100; // jobs in one frame
const STREAMED_MAX = 200; // jobs in the URL of a stream
const POLLERS = 3; // a browser has six connections to a server
const OPEN_MS = 10_000;
const SILENCE_MS = 60_000; // then a connection may be dead: it goes on from the cursor
const LESSER_MS = 60_000; // so long without a WebSocket, then it is tried again
const UNKNOWN_JOB = 4404;
const CURSOR_GONE = 4410;

/** Root of what goes wrong here. An `AbortSignal` that is given rejects with its own reason. */
export class ClientError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** No answer, for as long as the client is patient. */
export class NoAnswerError extends ClientError {}

/** The server says no: `status`, and `problem`, its RFC 9457 document. */
export class ProblemError extends ClientError {
  constructor(status, problem, subject = "") {
    const wrong = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`);
    super(`${subject}${status} ${[problem.title, problem.detail, ...wrong].filter(Boolean).join(": ")}`);
    Object.assign(this, { status, problem });
  }
}

/** The job failed: as a direct call would, with `jobId` and `kind`, the cause. */
export class JobFailedError extends ProblemError {
  constructor(jobId, { kind, ...problem }) {
    super(problem.status ?? 500, problem, `job ${jobId} failed: `);
    Object.assign(this, { jobId, kind });
  }
}

/** Somebody canceled the job. */
export class JobCanceledError extends ClientError {
  constructor(jobId) {
    super(`job ${jobId} was canceled`);
    this.jobId = jobId;
  }
}

/**
 * The operations of one server: by default the one that this module came from.
 *
 * `prefix` is where the server has its own paths (its EITHERWAY_PREFIX). `token` is a bearer token, or a function that
 * gives one. `connected` is told by what events come, "websocket", "sse" or "poll", or null while by nothing.
 */
export class Client {
  #headers;
  #token;
  #listening;

  constructor({
    url,
    prefix = "",
    token,
    headers = {},
    waitSeconds = 20,
    attempts = 20,
    patienceMs = 60_000,
    transports,
    connected = () => {},
  } = {}) {
    const own = HERE.endsWith(`${prefix}/`) ? HERE.slice(0, -prefix.length - 1) : HERE;
    this.url = new URL(url ?? own, HERE).href.replace(/\/$/, "");
    this.prefix = prefix;
    this.#token = token;
    this.#headers = headers;
    Object.assign(this, { waitSeconds, attempts, patienceMs });
    this.#listening = new Listening(this, connected);
    this.use(...(transports ?? [...(globalThis.WebSocket ? ["websocket"] : []), "sse", "poll"]));
  }

  /** Have an operation run, and give its result: from the answer, or from its job. */
  async call(method, path, options = {}) {
    const job = await this.#begin(method, path, `wait=${this.waitSeconds}`, options);
    return job.result(options);
  }

  /** Have an operation run later, and give its job, which is stored then. */
  submit(method, path, options = {}) {
    return this.#begin(method, path, "respond-async", options);
  }

  /** A job taken up again, by its id. */
  job(id) {
    return new Job(this, this.#listening, id);
  }

  /** Keep a connection for events, also while nobody follows a job. */
  connect() {
    this.#listening.keep(true);
  }

  /** Hear nothing until `connect`, which goes on where this ended: for a page that is hidden, say. */
  disconnect() {
    this.#listening.keep(false);
  }

  /** Listen by these from now on, the first that works: of "websocket", "sse" and "poll". */
  use(...transports) {
    this.#listening.use(transports);
  }

  /** One request, with the client's headers, and its `Response`. `TypeError` where there is none. */
  async fetch(method, path, { headers, ...options } = {}) {
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    const credential = token ? { authorization: `Bearer ${token}` } : {};
    const all = { ...this.#headers, ...credential, ...headers };
    return fetch(this.url + path, { ...options, method, headers: all, cache: "no-store" });
  }

  /** A ticket for a connection that can have no headers (`?ticket=`); null where none is needed. */
  async ticket({ signal } = {}) {
    if (!this.#token) return null;
    const answer = await answerOf(await this.fetch("POST", `${this.prefix}/tickets`, { signal }));
    if (answer.status === 404) return null; // the server has no use for credentials
    if (answer.status >= 300) throw problemOf(answer);
    return JSON.parse(answer.text).ticket;
  }

  /** Send it until it is answered: `{ status, headers, text }`. For requests that may be repeated. */
  async send(method, path, options = {}) {
    const since = Date.now();
    for (let failures = 1; ; failures += 1) {
      let failure;
      let least = 0;
      try {
        const answer = await answerOf(await this.fetch(method, path, options));
        if (!comesBack(answer)) return answer;
        failure = problemOf(answer);
        least = retryAfterMs(answer);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof TypeError)) throw error;
        failure = new NoAnswerError(`${method} ${path}: ${error.message}`, { cause: error });
      }
      const ms = least + jitter(100, failures);
      if (failures >= this.attempts || Date.now() - since + ms > this.patienceMs) throw failure;
      await pause(ms, options.signal);
    }
  }

  async #begin(method, path, prefer, { json, headers, idempotencyKey, signal }) {
    const all = { ...headers };
    if (json !== undefined) all["content-type"] = "application/json";
    if (!SAFE.includes(method.toUpperCase())) {
      all.prefer = prefer;
      all["idempotency-key"] = JSON.stringify(idempotencyKey ?? randomKey());
    }
    const answer = await this.send(method.toUpperCase(), path, { headers: all, body: JSON.stringify(json), signal });
    if (answer.status >= 300) throw problemOf(answer);
    const value = answer.text === "" ? null : JSON.parse(answer.text);
    const accepted = answer.status === 202 && answer.headers.has("operation-location");
    if (!accepted) return new Job(this, this.#listening, null, value);
    const since = value.links?.self.split("?accepted=")[1]; // of a queue, where there is no record yet
    return new Job(this, this.#listening, value.id, undefined, since);
  }
}

/** A job. `id` is null where the server answered at once: no job is kept. */
export class Job {
  #client;
  #listening;
  #answer;
  #since;

  constructor(client, listening, id, answer, since) {
    this.id = id;
    this.#client = client;
    this.#listening = listening;
    this.#answer = answer;
    this.#since = since;
  }

  /** Wait for the end, and give the result. With a `signal`, no longer than that. */
  async result({ signal } = {}) {
    if (this.id === null) return this.#answer;
    for await (const { data } of this.events({ signal })) {
      if (data.status === "failed") throw new JobFailedError(this.id, data.error ?? {});
      if (data.status === "canceled") throw new JobCanceledError(this.id);
      if (data.done) return data.result;
    }
    return undefined;
  }

  /** What happens to the job, each event once, beginning with how it is now, up to the final one. */
  async *events({ signal } = {}) {
    if (this.id === null) return;
    const heard = [];
    let wake = () => {};
    const listener = (news) => {
      heard.push(news);
      wake();
    };
    const stop = this.#listening.listen(this.id, listener, this.#since);
    const onAbort = () => wake();
    signal?.addEventListener("abort", onAbort);
    try {
      for (;;) {
        signal?.throwIfAborted();
        while (heard.length > 0) {
          const news = heard.shift();
          if (news instanceof Error) throw news;
          yield news;
          if (news.data.done) return;
        }
        await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      stop();
    }
  }

  /** What the job is now: "queued", "running", ... */
  async status() {
    return (await this.document()).status;
  }

  /** The job document now. */
  async document() {
    if (this.id === null) return { id: null, status: "succeeded", done: true, result: this.#answer };
    return (await this.#listening.look(this.id, {}, undefined, this.#since)).data;
  }

  /** End the job: true where this ended it, false where it had ended before. */
  async cancel() {
    if ((await this.document()).done) return false; // to DELETE it then would hide its result
    const answer = await this.#client.send("DELETE", pathOf(this.#client, this.id));
    if (![200, 204, 410].includes(answer.status)) throw problemOf(answer);
    return answer.status === 200;
  }
}

// One connection for all jobs that somebody follows: a WebSocket, else a stream, else long polls.
class Listening {
  #client;
  #connected;
  #transports = [];
  #at = 0; // which of them is used
  #jobs = new Map(); // id to { listeners, since, last: the event told last, cursor: of its WebSocket }
  #stream = { cursor: null, jobs: new Set() }; // what the cursor of the last stream stands for
  #kept = null; // by `connect` (true) or `disconnect` (false)
  #connection = new AbortController(); // what is open, or being opened, ends with it
  #added = () => {}; // tells the connection of jobs
  #socket = null;
  #runs = false;

  constructor(client, connected) {
    this.#client = client;
    this.#connected = connected;
  }

  listen(id, listener, since) {
    const followed = this.#jobs.get(id);
    const job = followed ?? { listeners: new Set(), since, last: null, cursor: null };
    job.listeners.add(listener);
    if (job.last) listener(job.last);
    if (!followed) {
      this.#jobs.set(id, job);
      this.#added([id]);
      this.#run();
    }
    return () => {
      job.listeners.delete(listener);
      if (job.listeners.size === 0 && this.#jobs.get(id) === job) this.#leave(id);
    };
  }

  keep(kept) {
    this.#kept = kept;
    if (kept) this.#run();
    else this.#connection.abort();
  }

  use(transports) {
    this.#transports = transports;
    this.#at = 0;
    this.#connection.abort();
  }

  // The job now, as an event; null where it is as in the ETag. Rejects with what the server refuses.
  async look(id, headers = {}, signal = undefined, since = this.#jobs.get(id)?.since) {
    const path = pathOf(this.#client, id) + (since ? `?accepted=${since}` : "");
    const answer = await this.#client.send("GET", path, { headers, signal });
    if (answer.status === 304) return null;
    if (answer.status !== 200) throw problemOf(answer);
    const data = JSON.parse(answer.text);
    if (data.recorded === false && "if-none-match" in headers) return null;
    const number = Number(/\d+/.exec(answer.headers.get("etag") ?? "0")[0]); // that of the last event
    const sequence = String(number).padStart(12, "0");
    const type = `eitherway.job.${data.status}`;
    return { id: `${id}.${number}`, type, subject: id, time: data.updated ?? data.created, sequence, data };
  }

  get #wanted() {
    return this.#kept !== false && (this.#kept || this.#jobs.size > 0);
  }

  #leave(id) {
    this.#jobs.delete(id);
    if (this.#socket?.followed.delete(id)) {
      this.#socket.send(JSON.stringify({ unsubscribe: [id] }));
      if (this.#jobs.size > this.#socket.followed.size) this.#added([...this.#jobs.keys()]);
    }
    if (!this.#wanted) this.#connection.abort();
  }

  #hear(event, via) {
    const job = this.#jobs.get(event.subject);
    if (!job || event.sequence <= (job.last?.sequence ?? "")) return;
    job.last = { ...event, via };
    this.#tell(event.subject, job.last, event.data.done);
  }

  #tell(id, news, isLast) {
    const { listeners } = this.#jobs.get(id);
    if (isLast) this.#leave(id);
    for (const listener of listeners) listener(news);
  }

  // Looks at jobs of which the server does not tell; those that it does not know end with its problem.
  #lookAt(ids, via) {
    const look = async (id) => {
      try {
        this.#hear(await this.look(id, {}, this.#connection.signal), via);
      } catch (error) {
        if (!isFinal(error)) throw error;
        if (this.#jobs.has(id)) this.#tell(id, error, true);
      }
    };
    return Promise.all(ids.filter((id) => this.#jobs.has(id)).map(look));
  }

  async #run() {
    if (this.#runs) return;
    this.#runs = true;
    for (let failures = 0; this.#wanted; ) {
      const connection = (this.#connection = new AbortController());
      this.#at %= this.#transports.length;
      const transport = this.#transports[this.#at];
      const better = this.#at > 0 && setTimeout(() => this.use(this.#transports), LESSER_MS);
      let opened = false;
      const open = () => {
        if (!opened) this.#connected(transport);
        opened = true;
      };
      await this.#by(transport, connection.signal, open).catch((error) => this.#refused(error));
      clearTimeout(better);
      this.#added = () => {};
      this.#socket = null;
      if (connection.signal.aborted) continue; // on purpose: there is another one to be opened, or none
      connection.abort();
      this.#connected(null);
      failures = opened ? 0 : failures + 1;
      if (failures > 0 && failures % 2 === 0) this.#at += 1;
      await pause(jitter(1000, failures + 1));
    }
    this.#connected(null);
    this.#runs = false;
  }

  // What cannot get better by coming back is told to those who wait; anything else will be tried again.
  #refused(error) {
    const passes = error instanceof ClientError ? !isFinal(error) : ["TypeError", "AbortError"].includes(error.name);
    if (!passes) for (const id of [...this.#jobs.keys()]) this.#tell(id, error, true);
  }

  #by(transport, signal, open) {
    if (transport === "websocket") return this.#byWebSocket(signal, open);
    return transport === "sse" ? this.#byStream(signal, open) : this.#byPolls(signal, open);
  }

  async #byWebSocket(signal, open) {
    const url = new URL(`${this.#client.url}${this.#client.prefix}/events`);
    url.protocol = url.protocol.replace("http", "ws");
    const ticket = await this.#client.ticket({ signal });
    if (ticket !== null) url.searchParams.set("ticket", ticket);
    signal.throwIfAborted();
    const socket = Object.assign(new WebSocket(url, "cloudevents.json"), { followed: new Set(), begun: new Set() });
    let timer;
    const { code, reason } = await new Promise((resolve) => {
      const quiet = () => (this.#jobs.size > 0 ? this.#connection.abort() : alive());
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(quiet, SILENCE_MS);
      };
      timer = setTimeout(resolve, OPEN_MS, {});
      signal.addEventListener("abort", () => resolve({}));
      socket.onclose = resolve;
      socket.onopen = () => {
        alive();
        this.#socket = socket;
        this.#added = (ids) => this.#subscribe(ids);
        this.#subscribe([...this.#jobs.keys()]);
        open();
      };
      socket.onmessage = ({ data }) => {
        alive();
        this.#hearSocket(JSON.parse(data), socket);
      };
    });
    clearTimeout(timer);
    socket.onmessage = socket.onclose = null;
    socket.onopen = () => socket.close(1000); // to close it before would be an error in the console
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
    if (code === CURSOR_GONE) for (const job of this.#jobs.values()) job.cursor = null;
    if (code === UNKNOWN_JOB) {
      const named = [...this.#jobs.keys()].filter((id) => reason.includes(id));
      await this.#lookAt(named.length > 0 ? named : [...this.#jobs.keys()], "websocket");
    }
  }

  #subscribe(ids) {
    const { followed } = this.#socket;
    const byCursor = new Map(); // each job goes on after what was told of itself
    for (const id of ids.filter((one) => !followed.has(one)).slice(0, FOLLOWED_MAX - followed.size)) {
      const { cursor } = this.#jobs.get(id);
      byCursor.set(cursor, [...(byCursor.get(cursor) ?? []), id]);
      followed.add(id);
    }
    for (const [cursor, jobs] of byCursor) {
      for (let at = 0; at < jobs.length; at += SUBSCRIBE_MAX) {
        const subscribe = jobs.slice(at, at + SUBSCRIBE_MAX);
        this.#socket.send(JSON.stringify(cursor === null ? { subscribe } : { subscribe, after: cursor }));
      }
    }
  }

  // Of jobs that begin together, the last one's event has a cursor, for all of them.
  #hearSocket(event, { begun }) {
    const job = this.#jobs.get(event.subject);
    if (job) begun.add(job);
    if (event.cursor !== undefined) {
      for (const each of begun) each.cursor = event.cursor;
      begun.clear();
    }
    this.#hear(event, "websocket");
  }

  async #byStream(signal, open) {
    let timer;
    this.#added = () => {
      clearTimeout(timer); // several are often added at once
      timer = setTimeout(() => !signal.aborted && this.#connection.abort(), 20);
    };
    const ids = [...this.#jobs.keys()].slice(0, STREAMED_MAX);
    const { cursor, jobs } = this.#stream;
    if (cursor !== null) {
      const unheard = ids.filter((id) => !jobs.has(id) || this.#jobs.get(id).last === null);
      await this.#lookAt(unheard, "sse");
      unheard.forEach((id) => jobs.add(id)); // the cursor is from before: what follows comes by the stream
    }
    const streamed = ids.filter((id) => this.#jobs.has(id));
    if (streamed.length === 0) {
      open();
      await aborted(signal);
    }
    const since = streamed.map((id) => this.#jobs.get(id).since ?? "").sort().at(-1);
    const query = `?jobs=${streamed.map(encodeURIComponent).join(",")}${since ? `&accepted=${since}` : ""}`;
    const path = `${this.#client.prefix}/events${query}`;
    const headers = { accept: "text/event-stream", ...(cursor !== null && { "last-event-id": cursor }) };
    const response = await this.#client.fetch("GET", path, { headers, signal });
    if (response.status === 204 || response.status === 404) await this.#lookAt(streamed, "sse");
    if (response.status !== 204 && !response.ok) throw problemOf(await answerOf(response));
    open();
    if (response.status === 204) return;
    this.#stream = { cursor, jobs: new Set(streamed) };
    for await (const event of eventsOf(response.body, signal)) {
      this.#stream.cursor = event.cursor ?? this.#stream.cursor;
      this.#hear(event, "sse");
    }
  }

  async #byPolls(signal, open) {
    const asked = new Set();
    const poll = async () => {
      for (;;) {
        signal.throwIfAborted();
        const [id, job] = [...this.#jobs].find(([one]) => !asked.has(one)) ?? [];
        if (id === undefined) {
          open();
          await pause(100, signal);
          continue;
        }
        this.#jobs.delete(id);
        this.#jobs.set(id, job); // at the end: the others have their turn
        asked.add(id);
        await this.#poll(id, job.last, signal).finally(() => asked.delete(id));
        open();
      }
    };
    await Promise.all(Array.from({ length: POLLERS }, poll));
  }

  async #poll(id, last, signal) {
    const since = Date.now();
    const wait = this.#jobs.size > POLLERS ? 2 : this.#client.waitSeconds;
    const headers = last ? { prefer: `wait=${wait}`, "if-none-match": `W/"${Number(last.sequence)}"` } : {};
    try {
      const event = await this.look(id, headers, signal);
      if (event) this.#hear(event, "poll");
      else if (Date.now() - since < 1000) await pause(1000, signal); // it does not wait: it will stop
    } catch (error) {
      if (!isFinal(error)) throw error;
      if (this.#jobs.has(id)) this.#tell(id, error, true);
    }
  }
}

function pathOf({ prefix }, id) {
  return `${prefix}/jobs/${encodeURIComponent(id)}`;
}

// Whether the same request may be answered otherwise later.
function comesBack({ status, headers, text }) {
  const isProblem = headers.get("content-type")?.startsWith("application/problem+json") ?? false;
  if (status === 409) return isProblem && JSON.parse(text).type.endsWith("/idempotency-key-in-use");
  if (status === 429 || status === 503) return headers.has("retry-after") || !isProblem;
  return (status === 502 || status === 504) && !isProblem; // of a proxy
}

// Whether it is an answer that will stay.
function isFinal(error) {
  return error instanceof ProblemError && error.status < 500 && error.status !== 429;
}

function problemOf({ status, headers, text }) {
  const isProblem = headers.get("content-type")?.startsWith("application/problem+json");
  return new ProblemError(status, isProblem ? JSON.parse(text) : { title: "not an answer of eitherway" });
}

async function answerOf(response) {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

// `Retry-After` of either form (RFC 9110, section 10.2.3); 0 where there is none.
function retryAfterMs({ headers }) {
  const value = headers.get("retry-after") ?? "0";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, ms || 0);
}

// Full jitter, up to a ceiling that doubles with each failure.
function jitter(base, failures) {
  return Math.random() * Math.min(5000, base * 2 ** Math.min(failures - 1, 20));
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => end(() => reject(signal.reason));
    const end = (settle) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const timer = setTimeout(() => end(resolve), ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
  });
}

async function aborted(signal) {
  signal.throwIfAborted();
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

// `crypto.randomUUID` is for secure contexts alone; a page on a local network may not be one.
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The CloudEvents of a stream of Server-Sent Events, as the gateway writes it.
async function* eventsOf(body, signal) {
  const reader = body.getReader();
  signal.addEventListener("abort", () => reader.cancel().catch(() => {})); // Node 20 would read on for ever
  const decoder = new TextDecoder();
  for (let text = "", read; !(read = await reader.read()).done; ) {
    const messages = (text + decoder.decode(read.value, { stream: true })).split("\n\n");
    text = messages.pop();
    for (const message of messages) {
      const data = message.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice("data: ".length));
    }
  }
}
