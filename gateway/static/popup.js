// The popup at one place of the map: what was asked about it, until it is closed or another place is.

import { announce, find, icon, make } from "./dom.js";
import { place } from "./format.js";

const { ol } = globalThis;

export class Popup {
  #asking = null;

  constructor(map) {
    this.overlay = new ol.Overlay({ element: find("popup"), positioning: "bottom-center", offset: [0, -10], autoPan: { margin: 16 } });
    map.addOverlay(this.overlay);
    find("popup").addEventListener("keydown", (event) => { if (event.key === "Escape") this.#leave(); });
  }

  // Shows what `answer` resolves to, its content and the words that are announced, or why it does not.
  async ask(waiting, { coordinate, lon, lat }, answer) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    this.#fill(lon, lat, [make("p", { class: "note" }, waiting)]);
    find("popup").hidden = false;
    this.overlay.setPosition(coordinate);
    let found;
    try {
      found = await answer(asking.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      found = { content: [make("p", { class: "note" }, error.message)], told: error.message };
    }
    if (asking.signal.aborted) return;
    this.#fill(lon, lat, found.content);
    announce(found.told);
    this.overlay.panIntoView({ margin: 16 });
  }

  close() {
    this.#asking?.abort();
    find("popup").hidden = true;
    this.overlay.setPosition(undefined);
  }

  #leave() {
    this.close();
    find("map").focus();
  }

  #fill(lon, lat, content) {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.#leave() }, icon("close"));
    find("popup").replaceChildren(close, ...content, make("p", { class: "place" }, place(lon, lat)));
  }
}
