// How the dataset is coloured: bands, range of values, colours, opacity. Controls in, query parameters out.

import { debounced, find, make } from "./dom.js";
import { drawHistogram } from "./histogram.js";

const FAVOURITES = ["viridis", "magma", "inferno", "plasma", "cividis", "turbo", "terrain", "gist_earth", "spectral", "rdylgn", "rdbu", "coolwarm", "blues", "greens", "ylorrd", "topo", "rainbow"];
const BINS = 64;
const BYTES = [0, 255];

export class StyleControls extends EventTarget {
  #changed = debounced(() => this.dispatchEvent(new Event("change")), 200);
  #asked = 0;

  constructor(api) {
    super();
    this.api = api;
    this.names = null;
    find("opacity").addEventListener("input", () => this.#opacity());
    find("mode").addEventListener("change", () => this.#mode());
    find("colormap").addEventListener("change", () => this.#colors());
    find("reversed").addEventListener("change", () => this.#colors());
    for (const id of ["low", "high"]) find(id).addEventListener("input", () => this.#slid());
    for (const id of ["from", "to"]) find(id).addEventListener("change", () => this.#typed());
    find("automatic").addEventListener("click", () => this.#take(null));
  }

  // Shows the controls that fit the dataset, set to what is `wanted`; resolves when its values are known.
  async begin(record, info, wanted) {
    this.record = record;
    this.info = info;
    this.state = { ...wanted };
    this.bands = [];
    const colors = info.colorinterp ?? [];
    this.drawable = Array.from({ length: info.count }, (_, index) => index + 1).filter((band) => colors[band - 1] !== "alpha");
    this.palette = colors[0] === "palette";
    if (this.state.bands?.some((band) => !this.drawable.includes(band))) this.state.bands = null;
    if (this.shown.length > 1) this.state.colors = null;
    await this.#fill();
    await this.#measure();
  }

  // The bands that are drawn, from 1.
  get shown() { return this.state.bands ?? (this.drawable.length >= 3 ? this.drawable.slice(0, 3) : this.drawable.slice(0, 1)); }

  get ramped() { return this.shown.length === 1 && !this.palette; }

  // One (low, high) for each band shown; null where the values are the colours.
  get ranges() {
    if (this.palette) return null;
    if (this.state.range) return this.shown.map(() => this.state.range);
    if (this.record.dtype === "uint8") return this.shown.map(() => BYTES);
    return this.bands.length ? this.bands.map((band) => ordered(band.percentile_2, band.percentile_98)) : null;
  }

  // Pairs of names and values, as tiles take them.
  get query() {
    const query = (this.state.bands ?? []).map((band) => ["bidx", band]);
    if (this.state.colors && this.ramped) query.push(["colormap_name", this.state.colors]);
    const bytes = this.record.dtype === "uint8" && !this.state.range;
    if (!bytes) for (const range of this.ranges ?? []) query.push(["rescale", range.join(",")]);
    return query;
  }

  get ramp() {
    if (!this.ramped || !this.ranges) return null;
    const [low, high] = this.ranges[0];
    const url = this.api.url(`/colorMaps/${this.state.colors ?? "gray"}`, { f: "png", width: 200, height: 12 });
    return { url, low, high, label: this.#name(this.shown[0]) };
  }

  async #fill() {
    if (this.drawable.length > 0 && !this.names) this.names = (await this.api.json("/colorMaps")).colorMaps;
    for (const node of document.querySelectorAll("[data-bands]")) node.hidden = this.drawable.length < 2;
    find("mode").value = String(this.shown.length);
    find("mode").options[0].disabled = this.drawable.length < 3;
    this.#fillBands();
    this.#fillColors();
    const percent = Math.round(this.state.opacity * 100);
    find("opacity").value = percent;
    find("opacity-told").textContent = `${percent} %`;
  }

  #fillBands() {
    const labels = this.shown.length > 1 ? ["Red", "Green", "Blue"] : ["Band"];
    const pickers = this.shown.map((chosen, index) => {
      const select = make("select", { onchange: () => this.#picked() }, ...this.drawable.map((band) => make("option", { value: band, selected: band === chosen }, this.#name(band))));
      return make("label", {}, `${labels[index]} `, select);
    });
    find("bands").replaceChildren(find("bands").querySelector("legend"), ...pickers);
  }

  #fillColors() {
    for (const node of document.querySelectorAll("[data-ramp]")) node.hidden = !this.ramped;
    if (!this.ramped) return;
    const plain = this.state.colors?.replace(/_r$/, "") ?? "";
    const known = this.names.filter((name) => !name.endsWith("_r"));
    const group = (label, names) => make("optgroup", { label }, ...names.map((name) => make("option", { value: name, selected: name === plain }, name)));
    const favourites = FAVOURITES.filter((name) => known.includes(name));
    find("colormap").replaceChildren(
      make("option", { value: "", selected: !plain }, "grey"),
      group("Often used", favourites),
      group("All", known.filter((name) => !favourites.includes(name))),
    );
    find("reversed").checked = Boolean(this.state.colors?.endsWith("_r"));
    find("reversed").disabled = !plain || !this.names.includes(`${plain}_r`);
  }

  #name(band) {
    const [, description] = this.info.band_descriptions?.[band - 1] ?? [];
    return description && description !== `b${band}` ? `${band}: ${description}` : `band ${band}`;
  }

  // Asks for the values of the bands shown. Without an answer the range is left to the server.
  async #measure() {
    const asked = this.#asked += 1;
    find("range").hidden = true;
    this.bands = [];
    if (this.palette || this.shown.length === 0) return;
    const query = [...this.shown.map((band) => ["bidx", band]), ["histogram_bins", BINS], ["max_size", 512]];
    try {
      const found = await this.api.json(`/datasets/${this.record.id}/statistics`, { query });
      if (asked !== this.#asked) return;
      this.bands = Object.values(found).filter((band) => Number.isFinite(band.min) && Number.isFinite(band.max));
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    this.#drawRange();
  }

  #drawRange() {
    find("range").hidden = this.bands.length === 0;
    if (!this.bands.length) return;
    const range = this.#span();
    const low = Math.min(range[0], ...this.bands.map((band) => band.min));
    const high = Math.max(range[1], ...this.bands.map((band) => band.max));
    const [from, to] = range;
    for (const id of ["low", "high"]) Object.assign(find(id), { min: low, max: high });
    Object.assign(find("low"), { value: from });
    Object.assign(find("high"), { value: to });
    find("from").value = rounded(from);
    find("to").value = rounded(to);
    find("automatic").hidden = !this.state.range;
    drawHistogram(find("histogram"), this.bands, [low, high], range);
  }

  #span() {
    const ranges = this.ranges ?? [BYTES];
    return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  }

  #slid() {
    const [low, high] = ordered(Number(find("low").value), Number(find("high").value));
    this.#take([rounded(low), rounded(high)]);
  }

  #typed() {
    const [low, high] = [find("from"), find("to")].map((input) => (input.value === "" ? NaN : Number(input.value)));
    if (Number.isFinite(low) && Number.isFinite(high) && low < high) this.#take([low, high]);
    else this.#drawRange();
  }

  #take(range) {
    if (range && range[0] === range[1]) return;
    this.state.range = range;
    this.#drawRange();
    this.#changed();
  }

  #opacity() {
    this.state.opacity = Number(find("opacity").value) / 100;
    find("opacity-told").textContent = `${find("opacity").value} %`;
    this.dispatchEvent(new Event("opacity"));
  }

  async #mode() { await this.#newBands(find("mode").value === "3" ? this.drawable.slice(0, 3) : this.drawable.slice(0, 1)); }

  async #picked() { await this.#newBands([...find("bands").querySelectorAll("select")].map((select) => Number(select.value))); }

  async #newBands(bands) {
    Object.assign(this.state, { bands, range: null });
    if (bands.length > 1) this.state.colors = null;
    this.#fillBands();
    this.#fillColors();
    find("mode").value = String(bands.length);
    await this.#measure();
    this.#changed();
  }

  #colors() {
    const plain = find("colormap").value;
    const turned = find("reversed").checked && this.names.includes(`${plain}_r`);
    this.state.colors = plain ? `${plain}${turned ? "_r" : ""}` : null;
    this.#fillColors();
    this.#changed();
  }
}

const ordered = (one, other) => (one < other ? [one, other] : one > other ? [other, one] : [one, one + 1]);
const rounded = (value) => Number(value.toPrecision(6));
