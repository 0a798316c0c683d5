// The files of a layer under one place of the map: what they are, the way to each, and its download.

import { Refused } from "./api.js";
import { announce, icon, make } from "./dom.js";
import { NOT_YOURS, SAVING, save } from "./download.js";
import { bytes, days, named, whole } from "./format.js";
import { counted } from "./items.js";

// So many fit into the popup by scrolling.
const LISTED = 20;

export class FilesHere {
  // `open` gets the id of the dataset that is chosen, `light` that of the one pointed at or null.
  constructor(api, popup, { open, light }) { Object.assign(this, { api, popup, open, light }); }

  // Lists what lies at a place in the layer below `path`, of the days that `query` names.
  show(path, query, at) {
    return this.popup.ask("Looking for files …", at, async (signal) => {
      const { assets, found } = await this.api.json(`${path}/point/${at.lon},${at.lat}/assets`, { query: { ...query, limit_assets: LISTED }, signal });
      if (!assets.length) return { content: [make("p", { class: "note" }, "No file lies here.")], told: "No file lies here." };
      const told = `${counted(found, "file")} here`;
      const more = found > assets.length ? make("p", { class: "note" }, `The first ${assets.length} of ${whole(found)}.`) : null;
      return { content: [make("h3", {}, told), make("ul", { class: "files", role: "list" }, ...assets.map((each) => this.#file(each))), ...(more ? [more] : [])], told };
    });
  }

  #file({ id, title, start_at: start, end_at: end, size_bytes: size }) {
    const { name } = named({ title });
    const note = make("span", { class: "note" }, [days(start, end), bytes(size)].filter(Boolean).join(" · "));
    const into = make("button", { type: "button", class: "quiet inline", onclick: () => this.open(id) }, name);
    const label = `Download ${name}`;
    const saving = make("button", { type: "button", class: "close", title: label, "aria-label": label, onclick: () => this.#save(id, note, saving) }, icon("save"));
    const point = (key) => () => this.light(key);
    return make("li", { onpointerenter: point(id), onpointerleave: point(null), onfocusin: point(id), onfocusout: point(null) }, make("div", {}, into, note), saving);
  }

  async #save(id, note, button) {
    button.disabled = true;
    try {
      await save(this.api, id);
      this.#tell(note, SAVING);
      button.disabled = false;
    } catch (error) {
      this.#tell(note, this.#why(error));
      button.disabled = error instanceof Refused && [403, 404, 422].includes(error.status) && Boolean(this.api.session.bearer);
    }
  }

  #why(error) {
    if (!(error instanceof Refused) || ![401, 403].includes(error.status)) return error.message;
    return this.api.session.bearer ? NOT_YOURS : "To download it, you have to sign in.";
  }

  #tell(note, text) {
    note.textContent = text;
    announce(text);
  }
}
