// Learns how jobs ended: over the WebSocket, or by status queries. The gateway's own client does both.

import { Client } from "/eitherway.js";

const CUT_MS = 3000;
const NAMES = { websocket: "WebSocket", poll: "status" };

export class Teller {
  constructor(connected) {
    this.told = { WebSocket: 0, status: 0 };
    this.connected = connected; // (what the connection is doing, in words)
    // Once each: what is refused is to be seen here, not sent again.
    this.shop = new Client({ attempts: 1, connected: (by) => this.say(by) });
    this.by("WebSocket");
    this.shop.connect();
  }

  by(way) {
    this.asking = way === "status";
    this.shop.use(...(this.asking ? ["poll"] : ["websocket", "poll"]));
  }

  cut() {
    if (this.asking) return;
    this.isCut = true;
    this.connected("cut, back in 3 s");
    this.shop.disconnect();
    setTimeout(() => {
      this.isCut = false;
      this.shop.connect();
    }, CUT_MS);
  }

  say(by) {
    if (this.isCut) return;
    if (this.asking) this.connected("not used");
    else this.connected(by === "websocket" ? "connected" : "away, coming back");
  }

  // How a job ended, and by what that was told.
  async end(job) {
    for await (const { data, via } of job.events()) if (data.done) return { job: data, by: NAMES[via] };
    return undefined;
  }

  // Counts the ends of jobs, whoever sent them.
  follow(ids) {
    for (const id of ids) {
      this.end(this.shop.job(id)).then(
        ({ by }) => (this.told[by] += 1),
        () => {}, // it is not kept any more
      );
    }
  }
}
