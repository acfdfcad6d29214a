// What the page asks of the server it came from.

async function call(method, path, body, headers = {}) {
  const options = { method, headers, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["content-type"] = "application/json";
  }
  return fetch(path, options);
}

export async function readState(after) {
  const response = await call("GET", `/demo/state?after=${after}`);
  if (!response.ok) throw new Error(`state: ${response.status}`);
  return response.json();
}

export async function changeSettings(settings) {
  await call("PUT", "/demo/settings", settings);
}

export async function sendBurst(ways, count, seconds) {
  await call("POST", "/demo/bursts", { ways, count, seconds });
}

const doors = { direct: "/orders/direct", queued: "/orders" };

// One order, through one door. Times are milliseconds from the call.
export async function sendOrder(way, orderId) {
  const start = performance.now();
  const response = await call("POST", doors[way], { order_id: orderId, amount: 19.9 });
  const ms = performance.now() - start;
  return { status: response.status, ms, start, body: await response.json() };
}

// The status query: waits until the job has ended, ten seconds at most; null for an unknown job.
export async function awaitJob(id) {
  const response = await call("GET", `/jobs/${id}`, undefined, { prefer: "wait=10" });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`job: ${response.status}`);
  return response.json();
}
