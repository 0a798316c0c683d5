// The values of a dataset at one place of the map.

import { Refused } from "./api.js";
import { announce, find, icon, make } from "./dom.js";
import { number, place } from "./format.js";

const { ol } = globalThis;

export class Inspector {
  #asking = null;

  constructor(api, map) {
    this.api = api;
    this.map = map;
    this.overlay = new ol.Overlay({ element: find("popup"), positioning: "bottom-center", offset: [0, -10], autoPan: { margin: 16 } });
    map.map.addOverlay(this.overlay);
    find("popup").addEventListener("keydown", (event) => { if (event.key === "Escape") this.close(); });
  }

  async show(record, { coordinate, lon, lat }) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    this.#fill(lon, lat, [make("p", { class: "note" }, "Reading …")]);
    find("popup").hidden = false;
    this.overlay.setPosition(coordinate);
    try {
      const found = await this.api.json(`/datasets/${record.id}/point/${lon},${lat}`, { signal: asking.signal });
      this.#values(lon, lat, found);
    } catch (error) {
      if (error.name === "AbortError") return;
      const words = error instanceof Refused && error.status === 404 ? "No data here." : error.message;
      this.#fill(lon, lat, [make("p", { class: "note" }, words)]);
      announce(words);
    }
    this.overlay.panIntoView({ margin: 16 });
  }

  close() {
    this.#asking?.abort();
    find("popup").hidden = true;
    this.overlay.setPosition(undefined);
  }

  #values(lon, lat, { values, band_names: names, band_descriptions: told }) {
    const named = values.map((value, index) => [told[index] && told[index] !== names[index] ? told[index] : names[index].replace(/^b(\d+)$/, "Band $1"), number(value)]);
    if (values.every((value) => value == null)) {
      this.#fill(lon, lat, [make("p", { class: "note" }, "No data here.")]);
      return announce("No data here.");
    }
    this.#fill(lon, lat, [make("dl", {}, ...named.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))]);
    announce(`At ${place(lon, lat)}: ${named.map((pair) => pair.join(" ")).join(", ")}`);
  }

  #fill(lon, lat, content) {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => { this.close(); find("map").focus(); } }, icon("close"));
    find("popup").replaceChildren(close, ...content, make("p", { class: "place" }, place(lon, lat)));
  }
}
