// "Use in …": the lines that bring a dataset or a layer, in the style on screen, into other programs.

import { copyButton, find, icon, make, tablist } from "./dom.js";
import { clock, named } from "./format.js";
import { CLIENTS, clientsOf, fileName } from "./uselines.js";

// What a dataset is to other programs: where it and its maps are, what mints a token for these, and its file.
export function ofDataset(record) {
  const href = (rel) => record.links.find((link) => link.rel === rel)?.href;
  const maps = { self: href("self"), tilejson: href("tilejson"), wmts: href("wmts"), mint: `/auth/tile-token/${record.id}`, isPublic: record.visibility === "public" };
  return { ...maps, placed: Boolean(record.bounds), name: fileName(named(record).name), file: { id: record.id, isPublic: record.download === "public" } };
}

// What a collection as a layer is to them; it has many files, so none.
export function ofLayer({ id, title, tilejson }, isPublic) {
  const self = tilejson.slice(0, tilejson.lastIndexOf("/"));
  return { self, tilejson, wmts: `${self}/WMTSCapabilities.xml`, mint: `/auth/tile-token/collections/${id}`, isPublic, placed: true, name: fileName(title), file: null };
}

export class UseDialog {
  #chosen = "qgis";
  #token = null;

  constructor(api) {
    this.api = api;
    this.open = document.documentElement.dataset.open === "yes";
    find("use-clients").append(...Object.entries(CLIENTS).map(([id, { title }]) => make("button", { type: "button", role: "tab", id: `use-${id}`, "aria-controls": "use-lines" }, title)));
    this.select = tablist(find("use-clients"), (id) => this.#fill(id.slice(4)));
    find("use-close").append(icon("close"));
    find("use-close").addEventListener("click", () => find("use").close());
  }

  // Opens the dialog over what `ofDataset` or `ofLayer` tells; `query` are the pairs of the style. Rejects as the API does.
  async show(subject, query) {
    Object.assign(this, { subject, query });
    const token = subject.isPublic ? null : await this.#minted(subject.mint);
    if (this.subject !== subject) return;
    this.#token = token;
    const offered = clientsOf(subject);
    for (const tab of find("use-clients").children) tab.hidden = !offered.includes(tab.id.slice(4));
    find("use").showModal();
    this.select(`use-${offered.includes(this.#chosen) ? this.#chosen : offered[0]}`);
  }

  // Nothing is to be shown any more, nor what is still asked for.
  drop() {
    this.subject = null;
    find("use").close();
  }

  async #minted(path) {
    const asked = Date.now();
    const minted = await this.api.post(path);
    return { ...minted, until: asked + minted.expires_in * 1000 };
  }

  #fill(client) {
    this.#chosen = client;
    const { self, placed, name, file } = this.subject;
    const given = {
      self,
      api: self.slice(0, self.search(/\/(datasets|collections)\//)),
      root: new URL(".", location.href.split("#")[0]).href,
      ...this.#addresses(),
      query: this.query,
      signedIn: Boolean(this.api.session.bearer),
      open: this.open,
      placed,
      file,
      name,
    };
    find("use-lines").setAttribute("aria-labelledby", `use-${client}`);
    find("use-lines").replaceChildren(...CLIENTS[client].lines(given).map((each) => this.#snippet(each)));
  }

  // Of maps: as they were handed out with the token, or those of everybody.
  #addresses() {
    const { self, ...maps } = this.subject;
    if (!this.#token) return { tilejson: maps.tilejson, wmts: maps.wmts, tiles: `${self}/tiles/{z}/{x}/{y}.png`, preview: `${self}/preview.png` };
    const { tilejson, wmts, tiles, token } = this.#token;
    return { tilejson, wmts, tiles: [tiles].flat()[0], preview: `${self}/preview.png?${new URLSearchParams({ token })}` };
  }

  #snippet({ title, where, text, kind }) {
    const head = make("div", { class: "line spread" }, make("h3", {}, title), copyButton(text, `Copy: ${title}`, "Copy"));
    return make("div", { class: "snippet" }, head, make("pre", { tabindex: 0 }, text), make("p", { class: "note" }, [where, this.#note(kind)].filter(Boolean).join(" ")));
  }

  #note(kind) {
    if (kind === "minted") return "The token in it is good for two minutes from its first line on.";
    if (kind !== "style") return "";
    return this.#token ? `In the style that is on screen. The tile token in it ends at ${clock(this.#token.until)}: copy it anew then.` : "In the style that is on screen.";
  }
}
