// npm's `eventsource`, as it is: prints each event, and ends by itself when it is told to stop.
const [eventsource, url] = process.argv.slice(2);
const { EventSource } = await import(eventsource);
const source = new EventSource(url);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
source.onmessage = ({ lastEventId, data }) => print({ lastEventId, event: JSON.parse(data) });
source.addEventListener("reset", () => print({ reset: true }));
source.onerror = ({ code }) => print({ code: code ?? null, closed: source.readyState === EventSource.CLOSED });
