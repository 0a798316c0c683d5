// The second tab: the file itself, read in the browser by byte ranges and drawn by WebGL. No tile is asked for.

import { Refused, Unreachable, refused } from "./api.js";
import { mint } from "./download.js";
import { find } from "./dom.js";
import { bytes } from "./format.js";

const { ol } = globalThis;
const STOPS = 16;

export class DirectView {
  #map = null;
  #url = null;
  #minting = null;
  #run = 0;

  constructor(api, script) {
    this.api = api;
    this.script = script;
    this.library = null;
  }

  // Draws the file anew in a style; resolves when its header has been read.
  async show(record, style) {
    const run = this.#run += 1;
    const counts = this.#counts = { ranges: 0, bytes: 0, drawn: false, record };
    this.#tell("Reading the header …");
    try {
      await (this.library ??= loaded(this.script));
      this.#url = await mint(this.api, record.id);
      const source = this.#source(record, style, counts);
      const view = await source.getView();
      if (run !== this.#run) return;
      if (source.getState() !== "ready") throw source.getError?.() ?? new Error("The file cannot be read here.");
      this.#draw(source, view, await this.#color(style, source.bandCount), style.state.opacity, counts);
    } catch (error) {
      this.library = globalThis.GeoTIFF ? this.library : null;
      if (run === this.#run) this.#tell(words(error, this.failed));
    }
  }

  clear() {
    this.#run += 1;
    this.#map?.setLayers([]);
    this.#tell("");
  }

  setOpacity(value) { this.#map?.getLayers().forEach((layer) => layer.setOpacity(value)); }

  #counts = { ranges: 0, bytes: 0, drawn: false, record: null };

  #source(record, style, counts) {
    const bands = style.state.bands ?? (style.shown.length < style.drawable.length ? style.shown : undefined);
    const ranges = style.ranges;
    const info = { url: this.#url, loader: (_, headers, signal) => this.#read(headers, signal, counts), bands };
    if (ranges) Object.assign(info, { min: ranges.map(([low]) => low), max: ranges.map(([, high]) => high) });
    if (record.nodata != null && Number.isFinite(Number(record.nodata))) info.nodata = Number(record.nodata);
    return new ol.source.GeoTIFF({ sources: [info], convertToRGB: "auto", normalize: Boolean(ranges), transition: 0, wrapX: false, interpolate: style.shown.length > 1 });
  }

  // Returns the answer to a range request, under a new token where the old one has expired.
  async #read(headers, signal, counts) {
    const used = this.#url;
    let response = await this.#fetched(used, headers, signal);
    if (response.status === 401) {
      await response.body?.cancel();
      await this.#renew(used);
      response = await this.#fetched(this.#url, headers, signal);
    }
    if (!response.ok) throw this.failed = await refused(response);
    counts.ranges += response.status === 206 ? 1 : 0;
    counts.bytes += Number(response.headers.get("Content-Length")) || 0;
    if (counts === this.#counts) this.#count();
    return response;
  }

  async #fetched(url, headers, signal) {
    this.failed = null;
    try {
      return await fetch(url, { headers, signal });
    } catch (error) {
      if (error.name !== "AbortError") this.failed = new Unreachable("The server, or the store that it refers to, does not answer.");
      throw error;
    }
  }

  async #renew(used) {
    if (this.#url !== used) return;
    this.#minting ??= mint(this.api, this.#counts.record.id).then((url) => { this.#url = url; }).finally(() => { this.#minting = null; });
    await this.#minting;
  }

  async #color(style, bandCount) {
    if (!style.ramped || !style.state.colors) return undefined;
    const found = Object.values(await this.api.json(`/colorMaps/${style.state.colors}`));
    const colors = Array.isArray(found[0][0]) ? found.map(([, color]) => color) : found;
    const stops = Array.from({ length: STOPS }, (_, index) => {
      const part = index / (STOPS - 1);
      const [red, green, blue, alpha] = colors[Math.round(part * (colors.length - 1))];
      return [part, [red, green, blue, alpha / 255]];
    });
    const ramp = ["interpolate", ["linear"], ["band", 1], ...stops.flat()];
    return bandCount > 1 ? ["case", ["==", ["band", bandCount], 0], [0, 0, 0, 0], ramp] : ramp;
  }

  #draw(source, options, color, opacity, counts) {
    this.#map ??= new ol.Map({ target: "direct", controls: ol.control.defaults.defaults({ attribution: false, rotate: false }) });
    const layer = new ol.layer.WebGLTile({ source, opacity, style: color && { color } });
    this.#map.setLayers([layer]);
    const view = new ol.View({ ...options, constrainResolution: false });
    this.#map.setView(view);
    this.#map.updateSize();
    this.#map.once("postrender", () => this.#map.once("rendercomplete", () => {
      if (counts !== this.#counts) return;
      counts.drawn = true;
      this.#count();
    }));
    if (options.extent) view.fit(options.extent, { padding: [24, 24, 24, 24], size: this.#map.getSize() });
  }

  #count() {
    const { ranges, bytes: read, drawn, record } = this.#counts;
    this.#tell(`${drawn ? "Drawn from" : "Reading"} the file itself: ${ranges} byte ranges, ${bytes(read)} of ${bytes(record.size_bytes)}.`);
  }

  #tell(text) { find("direct-told").textContent = text; }
}

function words(error, failed) {
  const cause = failed ?? error;
  if (cause instanceof Refused && [401, 403].includes(cause.status)) return "Only those who may download this file can read it directly.";
  return cause instanceof Refused || cause instanceof Unreachable ? cause.message : "This browser cannot read the file directly.";
}

// geotiff.js puts itself into a global; it is large, and only this tab wants it.
function loaded(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Unreachable("The server does not answer.")));
    script.src = url;
    document.head.append(script);
  });
}
