// An open collection as one layer of the map: whether it is drawn, of which day and in which style, and what of it could not be.

import { Refused, Unreachable, datasetPath } from "./api.js";
import { announce, debounced, find } from "./dom.js";
import { days, plain, whole } from "./format.js";
import { unreadable } from "./head.js";
import { drawLegend } from "./legend.js";
import { SCALE } from "./map.js";
import { PLAIN } from "./share.js";
import { TileFeed } from "./tiles.js";

// As the server has it where a request does not say otherwise.
const MOST_FILES = 100;
const SLIDING_MS = 200;
const ALL_DAYS = "All days";

export class CollectionLayer extends EventTarget {
  #asking = null;
  #shownKey = null;
  #drawn = null;
  #crowded = 0;

  // `isOpen` tells whether a dataset is shown in the list's place; then the style's controls are its own.
  constructor(catalogue, map, footprints, style, isOpen) {
    super();
    Object.assign(this, { catalogue, map, footprints, style, isOpen });
    this.on = true;
    this.day = null;
    this.days = [];
    this.wanted = PLAIN;
    const slid = debounced(() => this.#paint(), SLIDING_MS);
    find("layer-on").addEventListener("change", ({ target }) => { this.on = target.checked; this.follow(); this.#tell(); });
    find("day").addEventListener("input", () => { this.day = this.days[find("day").value - 1] ?? null; this.#label(); slid(); this.#tell(); });
    for (const name of ["change", "opacity"]) style.addEventListener(name, () => this.#restyle());
    find("layer-style").addEventListener("toggle", () => this.#look());
  }

  // Whether the map shows it, and what a click asks for are its files.
  get isShown() { return Boolean(this.#drawn); }

  // As a link keeps it.
  get state() { return { layer: this.on, day: this.catalogue.state.collection ? this.day : null, style: this.wanted }; }

  // Takes what a link says.
  restore({ layer, day }, style) {
    this.on = layer;
    this.day = day;
    if (JSON.stringify(style) !== JSON.stringify(this.wanted)) this.#shownKey = null;
    this.wanted = style;
    find("layer-on").checked = layer;
  }

  // What its datasets are asked for by: the days of the list, or the one of the slider.
  get query() { return this.day ? { datetime: spanned(this.day) } : this.#listed; }

  // Where the API has it.
  get path() { return `/collections/${this.catalogue.seen.id}`; }

  // What other programs need to show the same: whether its maps want a token, and the parameters of its pictures.
  get elsewhere() { return { isPublic: !this.#drawn.feed.token, query: [...this.style.query, ...Object.entries(this.query)] }; }

  // Draws the collection that is open, unless it is drawn already; and takes away what was.
  follow() {
    const { seen } = this.catalogue;
    find("layer").hidden = !seen?.bbox;
    if (this.isOpen()) return;
    const key = seen?.bbox && this.on ? JSON.stringify([seen.id, this.#listed, this.map.api.session.visit]) : null;
    if (key === this.#shownKey) return this.#drawn && this.#place();
    this.drop();
    this.#shownKey = key;
    if (key) this.#begin(seen, key);
  }

  // Takes it from the map.
  drop() {
    this.#asking?.abort();
    if (this.#drawn) {
      this.map.clear();
      drawLegend(find("legend"), null);
    }
    this.#drawn = this.#shownKey = null;
    this.footprints.hollow = false;
    this.#say("");
    for (const id of ["days", "layer-style", "layer-use"]) find(id).hidden = true;
  }

  get #listed() {
    const { datetime } = this.catalogue.filters.query;
    return datetime ? { datetime } : {};
  }

  // One of its datasets, which has the bands that all have, with what its file says of them.
  async #sample(signal) {
    const { api } = this.map;
    const listed = this.catalogue.listing.pages.shown;
    const asked = listed.length ? listed : (await api.json("/datasets", { query: { collection: this.catalogue.seen.id, limit: 1 }, signal })).datasets;
    const { id, count = 0, dtype = "", title = "" } = asked.find((each) => each.count) ?? {};
    const info = id ? await api.json(`${datasetPath(id)}/info`, { signal }).catch(unreadable) : null;
    return { title, dtype, info: info && !(info instanceof Error) ? info : { count } };
  }

  async #begin(seen, key) {
    const asking = this.#asking = new AbortController();
    const { path } = this;
    const feed = new TileFeed(this.map.api, path, { ...this.#listed, tile_scale: SCALE }, (response) => this.#heard(response));
    const query = Object.entries(this.#listed);
    try {
      const [document, sample] = await Promise.all([feed.open(asking.signal), this.#sample(asking.signal)]);
      if (asking.signal.aborted) return;
      const box = find("layer-style");
      const subject = { path, name: plain(seen.title) || seen.id, ...sample, stretch: document.stretch, query, isHidden: () => !box.open };
      await this.style.begin(subject, this.wanted, box);
      if (asking.signal.aborted) return;
      this.wanted = { ...this.style.state };
      this.days = [...document.days].reverse();
      const layer = this.map.tiles(feed, document, (error) => this.#failed(error, key));
      this.#drawn = { feed, layer, template: document.template };
      this.#place();
      this.footprints.hollow = true;
      this.map.put(layer, { title: subject.name }, this.wanted.opacity);
      for (const id of ["layer-style", "layer-use"]) find(id).hidden = false;
    } catch (error) {
      if (!asking.signal.aborted) this.#failed(error, key);
    }
  }

  // Puts slider and tiles to the day; one of which nothing is there is none.
  #place() {
    const { days: known } = this;
    if (!known.includes(this.day)) this.day = null;
    find("days").hidden = known.length < 2;
    find("day").max = known.length;
    find("day").value = known.indexOf(this.day) + 1;
    this.#label();
    this.#paint();
  }

  #label() {
    const told = this.day ? days(this.day, this.day) : ALL_DAYS;
    find("day-told").textContent = told;
    find("day").setAttribute("aria-valuetext", told);
  }

  // Takes the style that the controls have.
  #restyle() {
    if (!this.#drawn) return;
    this.wanted = { ...this.style.state };
    this.#paint();
    this.#tell();
  }

  // Its values are asked for when somebody looks at the controls: that opens many files.
  #look() {
    const { open } = find("layer-style");
    if (open) this.dispatchEvent(new Event("styling"));
    if (open && this.#drawn && !this.style.bands.length) this.style.measure();
  }

  // Sets the tiles' day and style; those of the one before stay until they have come.
  #paint() {
    if (!this.#drawn) return;
    const { layer, template } = this.#drawn;
    const [address, given = ""] = template.split("?");
    const query = new URLSearchParams(given);
    for (const [name, value] of Object.entries(this.query)) query.set(name, value);
    for (const [name, value] of this.style.query) query.append(name, value);
    drawLegend(find("legend"), this.style.ramp);
    const url = [address, query.toString()].filter(Boolean).join("?");
    if (layer.getSource().getUrls()?.[0] === url) return;
    this.#crowded = 0;
    this.#say("");
    layer.getSource().setUrl(url);
    this.map.wait();
  }

  // Where more files lie under a tile than it is made of, that is told; small pictures are of all of them.
  #heard(response) {
    const [used, found] = (response.headers.get("X-Assets") ?? "").split("/").map(Number);
    if (!(found > MOST_FILES) || used > MOST_FILES || found <= this.#crowded) return;
    this.#crowded = found;
    this.#say(`Up to ${whole(found)} files lie under one tile, which is drawn from the newest ${MOST_FILES}. A nearer look or one day shows more.`);
  }

  // What cannot be one layer stays a list and its outlines; what fails now and then is told by the map.
  #failed(error, key) {
    if (key !== this.#shownKey || error.name === "AbortError") return;
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    if (!(error instanceof Refused) || ![400, 403, 404, 422].includes(error.status)) {
      if (!this.#drawn) this.#shownKey = null;
      return this.map.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
    this.drop();
    this.#shownKey = key;
    this.#say(`It cannot be drawn as one layer. ${error.message}`);
    announce(find("layer-note").textContent);
  }

  #say(text) { find("layer-note").textContent = text; }

  #tell() { this.dispatchEvent(new Event("change")); }
}

const spanned = (day) => `${day}T00:00:00Z/${day}T23:59:59.999999Z`;
