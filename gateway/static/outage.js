// The banner over the page, and a server that has gone: it is asked until it is back, less and less often.

import { announce, find } from "./dom.js";

const WAITS_SECONDS = [1, 2, 4, 8, 15];

export class Outage {
  #waking = null;

  constructor(back) { this.back = back; }

  tell(text, action, run) {
    find("banner").hidden = !text;
    find("banner-text").textContent = text;
    find("banner-retry").hidden = !action;
    find("banner-retry").textContent = action ?? "";
    find("banner-retry").onclick = run ?? null;
  }

  async begin() {
    if (this.#waking) return;
    for (let tries = 0; ; tries += 1) {
      const wait = WAITS_SECONDS[Math.min(tries, WAITS_SECONDS.length - 1)];
      this.tell("The server does not answer. Trying again …", "Try now", () => this.#waking?.());
      await new Promise((resolve) => { this.#waking = resolve; setTimeout(resolve, wait * 1000); });
      if (await alive()) break;
    }
    this.#waking = null;
    this.tell("");
    announce("The server is back.");
    this.back();
  }
}

async function alive() {
  try {
    return (await fetch("livez", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
