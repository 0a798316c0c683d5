// How a dataset or a layer is coloured: bands, range of values, colours, opacity, and which file counts. Controls in, query parameters out.

import { debounced, find, make } from "./dom.js";
import { number } from "./format.js";
import { drawHistogram, toldAt } from "./histogram.js";
import { OFFERED, rampPicture, rampTitle, usualRamp } from "./ramps.js";

const BINS = 64;
const FIRST = "first";
const BYTES = [0, 255];
// Which are no values of a file, and have a range of their own.
const COUNTED = ["stdev", "count"];
// What the colours cover, by name: the label, and the range of a band's statistics.
const STRETCHES = {
  full: ["0–255", () => BYTES],
  layer: ["All files"],
  percent: ["2–98 %", (band) => [band.percentile_2, band.percentile_98]],
  minmax: ["Min–max", (band) => [band.min, band.max]],
  sigma: ["± 2 σ", (band) => [Math.max(band.min, band.mean - 2 * band.std), Math.min(band.max, band.mean + 2 * band.std)]],
};

export class StyleControls extends EventTarget {
  #changed = debounced(() => this.dispatchEvent(new Event("change")), 200);
  #asked = 0;

  constructor(api) {
    super();
    this.api = api;
    this.names = null;
    find("opacity").addEventListener("input", () => this.#opacity());
    find("selection").addEventListener("change", ({ target }) => this.#select(target.value === FIRST ? null : target.value));
    find("mode").addEventListener("change", () => this.#mode());
    find("ramps").addEventListener("change", ({ target }) => this.#colors(target.value));
    find("colormap").addEventListener("change", ({ target }) => target.value && this.#colors(target.value));
    find("reversed").addEventListener("change", () => this.#colors(turned(this.colors)));
    find("stretch").addEventListener("change", ({ target }) => this.#take({ stretch: target.value === this.usual ? null : target.value, range: null }));
    for (const id of ["low", "high"]) find(id).addEventListener("input", () => this.#slid());
    for (const id of ["from", "to"]) find(id).addEventListener("change", () => this.#typed());
    find("reset").addEventListener("click", () => this.#take({ stretch: null, range: null }));
    const box = find("histogram").parentElement;
    box.addEventListener("pointermove", ({ clientX }) => this.#hover(clientX, box.getBoundingClientRect()));
    box.addEventListener("pointerleave", () => { find("histogram-at").hidden = true; });
  }

  // Shows the controls that fit, set to what is `wanted`; resolves when the query is known. The subject has its `path`, `name`, `title`,
  // `dtype` and `info`; a layer also the range of values of each band, `stretch`, the `query` of its statistics, and `isHidden`,
  // which tells whether nobody looks at the controls.
  async begin(subject, wanted, box) {
    box.append(find("controls"));
    this.subject = subject;
    this.info = subject.info;
    this.state = { ...wanted };
    this.bands = [];
    const { count, colorinterp: colors = [] } = this.info;
    this.drawable = Array.from({ length: count }, (_, index) => index + 1).filter((band) => colors[band - 1] !== "alpha");
    this.palette = colors[0] === "palette";
    if (this.state.bands?.some((band) => !this.drawable.includes(band))) this.state.bands = null;
    if (this.shown.length > 1) this.state.colors = null;
    if (!this.#isLayer) this.state.selection = null;
    const measured = this.measure();
    await this.#fill();
    // Values that are the colours need no range to be drawn.
    if (!this.#asStored) await measured;
  }

  // The bands that are drawn, from 1.
  get shown() { return this.state.bands ?? (this.drawable.length >= 3 ? this.drawable.slice(0, 3) : this.drawable.slice(0, 1)); }

  get ramped() { return this.shown.length === 1 && !this.palette; }

  get colors() { return this.state.colors ?? usualRamp(this.subject, this.#description(this.shown[0])); }

  get usual() {
    if (COUNTED.includes(this.state.selection)) return "minmax";
    if (this.subject.stretch) return "layer";
    return this.subject.dtype === "uint8" ? "full" : "percent";
  }

  // One (low, high) for each band shown; null where the values are the colours.
  get ranges() {
    if (this.palette) return null;
    if (this.state.range) return this.shown.map(() => this.state.range);
    const stretch = this.state.stretch ?? this.usual;
    if (stretch === "full") return this.shown.map(() => BYTES);
    if (stretch === "layer") return this.shown.map((band) => this.subject.stretch[band - 1] ?? BYTES);
    return this.bands.length ? this.bands.map((band) => ordered(...STRETCHES[stretch][1](band))) : null;
  }

  // Pairs of names and values, as tiles take them.
  get query() {
    const query = (this.state.bands ?? []).map((band) => ["bidx", band]);
    if (this.ramped && this.colors !== "gray") query.push(["colormap_name", this.colors]);
    if (!this.#asStored) for (const range of this.ranges ?? []) query.push(["rescale", range.map(rounded).join(",")]);
    if (this.state.selection) query.push(["pixel_selection", this.state.selection]);
    return query;
  }

  // Whether the server's own range of values is that which is shown.
  get #asStored() { return this.palette || (["full", "layer"].includes(this.usual) && !this.state.range && !this.state.stretch); }

  get #isLayer() { return "isHidden" in this.subject; }

  get ramp() {
    if (!this.ramped || !this.ranges) return null;
    const [low, high] = this.ranges[0].map(rounded);
    return { url: rampPicture(this.api, this.colors), low, high, label: `${this.#heading}${this.unit ? ` [${this.unit}]` : ""}` };
  }

  get unit() { return this.shown.length === 1 ? this.info.band_units?.[this.shown[0] - 1] : null; }

  async #fill() {
    if (this.drawable.length > 0 && !this.names) this.names = (await this.api.json("/colorMaps")).colorMaps;
    for (const node of document.querySelectorAll("[data-bands]")) node.hidden = this.drawable.length < 2;
    find("mode").value = String(this.shown.length);
    find("mode").options[0].disabled = this.drawable.length < 3;
    find("selecting").hidden = !this.#isLayer;
    find("selection").value = this.state.selection ?? FIRST;
    this.#fillBands();
    this.#fillColors();
    const percent = Math.round(this.state.opacity * 100);
    find("opacity").value = percent;
    find("opacity-told").textContent = `${percent} %`;
  }

  #fillBands() {
    const labels = this.shown.length > 1 ? ["Red", "Green", "Blue"] : ["Band"];
    const pickers = this.shown.map((chosen, index) => {
      const select = make("select", { class: "small", onchange: () => this.#picked() }, ...this.drawable.map((band) => make("option", { value: band, selected: band === chosen }, this.#name(band))));
      return make("label", {}, `${labels[index]} `, select);
    });
    find("bands").replaceChildren(find("bands").querySelector("legend"), ...pickers);
  }

  #fillColors() {
    for (const node of document.querySelectorAll("[data-ramp]")) node.hidden = !this.ramped;
    if (!this.ramped) return;
    const { colors } = this;
    const offered = OFFERED.filter((name) => this.names.includes(name));
    if (find("ramps").querySelectorAll("input").length !== offered.length) find("ramps").replaceChildren(find("ramps").querySelector("legend"), ...offered.map((name) => this.#swatch(name)));
    const shown = offered.find((name) => name === colors || turned(name) === colors);
    for (const input of find("ramps").querySelectorAll("input")) input.checked = input.value === shown;
    const others = this.names.filter((name) => !name.endsWith("_r") && !offered.includes(name) && !offered.includes(turned(name)));
    const plain = shown ? "" : colors.replace(/_r$/, "");
    find("colormap").replaceChildren(make("option", { value: "", selected: !plain }, `${others.length} others …`), ...others.map((name) => make("option", { value: name, selected: name === plain }, name)));
    find("reversed").checked = shown ? shown !== colors : colors.endsWith("_r");
    find("reversed").disabled = !this.names.includes(turned(colors));
  }

  #swatch(name) {
    const input = make("input", { type: "radio", name: "ramp", value: name });
    return make("label", { title: name }, input, make("img", { src: rampPicture(this.api, name, 96, 18), alt: "", width: 96, height: 18 }), make("span", {}, rampTitle(name)));
  }

  #description(band) {
    const [, description] = this.info.band_descriptions?.[band - 1] ?? [];
    return description && description !== `b${band}` ? description : "";
  }

  #name(band) { return this.#description(band) || `Band ${band}`; }

  // What the legend is headed: one band alone needs no number.
  get #heading() { return this.info.count === 1 ? this.#description(1) || this.subject.name : this.#name(this.shown[0]); }

  // Asks for the values of the bands shown, unless nobody sees them. Without an answer the range is left to the server.
  async measure() {
    const asked = this.#asked += 1;
    find("range").hidden = true;
    this.bands = [];
    if (this.palette || this.shown.length === 0 || (this.#asStored && this.subject.isHidden?.())) return;
    const query = [...this.shown.map((band) => ["bidx", band]), ["histogram_bins", BINS], ["max_size", 512], ...(this.subject.query ?? [])];
    if (this.state.selection) query.push(["pixel_selection", this.state.selection]);
    try {
      const found = await this.api.json(`${this.subject.path}/statistics`, { query });
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
    this.axis = [low, high];
    const [from, to] = range;
    for (const id of ["low", "high"]) Object.assign(find(id), { min: low, max: high });
    Object.assign(find("low"), { value: from });
    Object.assign(find("high"), { value: to });
    find("from").value = rounded(from);
    find("to").value = rounded(to);
    find("axis-low").textContent = number(rounded(low));
    find("axis-high").textContent = number(rounded(high));
    find("axis-unit").textContent = this.unit ?? "";
    find("reset").disabled = !this.state.range && !this.state.stretch;
    this.#fillStretches();
    drawHistogram(find("histogram"), this.bands, [low, high], range, this.ramped ? rampPicture(this.api, this.colors) : null);
  }

  #fillStretches() {
    const names = Object.keys(STRETCHES).filter((name) => !["full", "layer"].includes(name) || this.usual === name);
    const chosen = this.state.range ? null : this.state.stretch ?? this.usual;
    const offered = [...find("stretch").querySelectorAll("input")].map((input) => input.value);
    if (offered.join() !== names.join()) {
      const labels = names.map((name) => make("label", {}, make("input", { type: "radio", name: "stretch", value: name }), make("span", {}, STRETCHES[name][0])));
      find("stretch").replaceChildren(find("stretch").querySelector("legend"), ...labels);
    }
    for (const input of find("stretch").querySelectorAll("input")) input.checked = input.value === chosen;
  }

  #span() {
    const ranges = this.ranges ?? [BYTES];
    return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  }

  #hover(x, { left, width }) {
    const part = (x - left) / width;
    find("histogram-at").hidden = !this.bands.length || part < 0 || part > 1;
    if (this.bands.length) find("histogram-at").textContent = toldAt(this.bands, this.axis, part);
  }

  #slid() {
    const [low, high] = ordered(Number(find("low").value), Number(find("high").value));
    this.#take({ range: [rounded(low), rounded(high)] });
  }

  #typed() {
    const [low, high] = [find("from"), find("to")].map((input) => (input.value === "" ? NaN : Number(input.value)));
    if (Number.isFinite(low) && Number.isFinite(high) && low < high) this.#take({ range: [low, high] });
    else this.#drawRange();
  }

  #take(change) {
    if (change.range && change.range[0] === change.range[1]) return;
    Object.assign(this.state, change);
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
    this.state.bands = bands;
    if (bands.length > 1) this.state.colors = null;
    find("mode").value = String(bands.length);
    this.state.range = null;
    this.#fillBands();
    this.#fillColors();
    await this.#remeasure();
  }

  // A range by hand stays for what is still a value of the files.
  async #select(selection) {
    const isOther = [this.state.selection, selection].some((each) => COUNTED.includes(each));
    Object.assign(this.state, { selection, ...(isOther ? { range: null, stretch: null } : {}) });
    await this.#remeasure();
  }

  async #remeasure() {
    await this.measure();
    this.#changed();
  }

  #colors(name) {
    if (!this.names.includes(name)) return;
    this.state.colors = name === usualRamp(this.subject, this.#description(this.shown[0])) ? null : name;
    this.#fillColors();
    this.#drawRange();
    this.#changed();
  }
}

const turned = (name) => (name.endsWith("_r") ? name.slice(0, -2) : `${name}_r`);
const ordered = (one, other) => (one < other ? [one, other] : one > other ? [other, one] : [one, one + 1]);
// Whole numbers stay whole; of others four digits are enough for a range of colours.
const rounded = (value) => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));
