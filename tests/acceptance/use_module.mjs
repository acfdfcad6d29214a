// Uses /eitherway.js from Node as a page does; prints a line for each order that is done, and at the end what it heard.
const [module, url, transport, count] = process.argv.slice(2);
const { Client } = await import(module);
const shop = new Client({ url, transports: [transport] });
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const deliveries = ["direct", "queued", "auto"];
let next = 0;
const heard = {};

async function use() {
  for (let n = next++; n < Number(count); n = next++) {
    const json = { order_id: `${n}`, takes_seconds: 0.02 };
    const path = `/${deliveries[n % 3]}`;
    let result;
    if (n % 2) result = await shop.call("POST", path, { json });
    else {
      const job = await shop.submit("POST", path, { json });
      if (job.id) {
        heard[n] = [];
        for await (const { sequence, data } of job.events()) heard[n].push([Number(sequence), data.status]);
      }
      result = await job.result();
    }
    if (result.order_id !== json.order_id) throw new Error(JSON.stringify(result));
    print(n);
  }
}

await Promise.all(Array.from({ length: 12 }, use));
print(heard);
