// The values of a dataset at one place of the map.

import { Refused, datasetPath } from "./api.js";
import { make } from "./dom.js";
import { number, place } from "./format.js";

export class Inspector {
  constructor(api, popup) { Object.assign(this, { api, popup }); }

  show(record, at) {
    return this.popup.ask("Reading …", at, async (signal) => this.#values(at, await this.#read(record, at, signal)));
  }

  async #read(record, { lon, lat }, signal) {
    try {
      return await this.api.json(`${datasetPath(record.id)}/point/${lon},${lat}`, { signal });
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return { values: [] };
      throw error;
    }
  }

  #values({ lon, lat }, { values, band_names: names, band_descriptions: told }) {
    if (values.every((value) => value == null)) return { content: [make("p", { class: "note" }, "No data here.")], told: "No data here." };
    const named = values.map((value, index) => [told[index] && told[index] !== names[index] ? told[index] : names[index].replace(/^b(\d+)$/, "Band $1"), number(value)]);
    const list = make("dl", {}, ...named.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    return { content: [list], told: `At ${place(lon, lat)}: ${named.map((pair) => pair.join(" ")).join(", ")}` };
  }
}
