// A file without a place on the globe: its picture stands where the map would be.

import { find, make } from "./dom.js";

const WORDS = "This file has no coordinate system that leads to a place on the map, so here is a picture of all of it.";

export class Unplaced {
  #run = 0;

  constructor(api) { this.api = api; }

  // Shows the preview in a style; rejects as the API does.
  async show(record, query, opacity) {
    const run = this.#run += 1;
    const answer = await this.api.ask(this.api.url(`/datasets/${record.id}/preview`, [...query, ["max_size", 1024], ["v", record.version]]));
    const url = URL.createObjectURL(await answer.blob());
    if (run !== this.#run) return URL.revokeObjectURL(url);
    const image = make("img", { alt: `All of ${record.title}` });
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
    image.style.opacity = opacity;
    find("unplaced").hidden = false;
    find("unplaced").replaceChildren(image, make("figcaption", {}, WORDS));
  }

  setOpacity(value) { find("unplaced").querySelector("img")?.style.setProperty("opacity", value); }

  clear() {
    this.#run += 1;
    find("unplaced").hidden = true;
    find("unplaced").replaceChildren();
  }
}
