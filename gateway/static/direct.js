// The file itself, read in this browser by byte ranges and drawn by WebGL, in the place of tiles.

import { Refused, Unreachable, refused } from "./api.js";
import { mint } from "./download.js";
import { find } from "./dom.js";
import { bytes } from "./format.js";

const { ol } = globalThis;
const STOPS = 16;

export class DirectSource {
  // What opens the file that was read last: its dataset's id and its address with a token.
  #held = null;
  #run = 0;
  #counts = null;

  constructor(api, map, scripts) {
    this.api = api;
    this.map = map;
    this.scripts = scripts;
    this.libraries = null;
  }

  // Puts the file on the map in a style; resolves when its header has been read.
  async show(record, info, style) {
    const run = this.#run += 1;
    const counts = this.#counts = { ranges: 0, bytes: 0, drawn: false, record };
    this.#tell("Reading the header …");
    try {
      await (this.libraries ??= Promise.all(this.scripts.map(loaded)));
      // Each change of the style reads the header again, and asks for no other token.
      if (this.#held?.id !== record.id) {
        const url = await mint(this.api, record.id);
        if (run !== this.#run) return;
        this.#held = { id: record.id, url, minting: null };
      }
      counts.held = this.#held;
      const source = this.#source(record, style, counts, projectionOf(record, info));
      await source.getView();
      if (run !== this.#run) return;
      if (source.getState() !== "ready") throw source.getError?.() ?? new Error("The file cannot be read here.");
      const color = await this.#color(style, source.bandCount);
      if (run !== this.#run) return;
      this.#draw(source, record, color, style.state.opacity, counts);
    } catch (error) {
      if (!globalThis.GeoTIFF) this.libraries = null;
      if (run === this.#run) this.#tell(words(error, this.failed));
    }
  }

  clear() {
    this.#run += 1;
    this.#counts = this.#held = null;
    this.#tell("");
  }

  #source(record, style, counts, projection) {
    const bands = style.state.bands ?? (style.shown.length < style.drawable.length ? style.shown : undefined);
    const ranges = style.ranges;
    const info = { url: counts.held.url, loader: (_, headers, signal) => this.#read(headers, signal, counts), bands };
    if (ranges) Object.assign(info, { min: ranges.map(([low]) => low), max: ranges.map(([, high]) => high) });
    if (record.nodata != null && Number.isFinite(Number(record.nodata))) info.nodata = Number(record.nodata);
    return new ol.source.GeoTIFF({ sources: [info], projection, convertToRGB: "auto", normalize: Boolean(ranges), transition: 0, wrapX: false, interpolate: style.shown.length > 1 });
  }

  // Returns the answer to a range request, under a new token where the old one has expired.
  async #read(headers, signal, counts) {
    const { held } = counts;
    const used = held.url;
    let response = await this.#fetched(used, headers, signal);
    if (response.status === 401) {
      await response.body?.cancel();
      await this.#renew(held, used);
      response = await this.#fetched(held.url, headers, signal);
    }
    if (!response.ok) throw this.failed = await refused(response);
    counts.ranges += response.status === 206 ? 1 : 0;
    counts.bytes += Number(response.headers.get("Content-Length")) || 0;
    this.#count(counts);
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

  // Many ranges expire together: one of them renews for all of its file.
  async #renew(held, used) {
    if (held.url !== used) return;
    held.minting ??= mint(this.api, held.id).then((url) => { held.url = url; }).finally(() => { held.minting = null; });
    await held.minting;
  }

  async #color(style, bandCount) {
    if (!style.ramped || style.colors === "gray") return undefined;
    const found = Object.values(await this.api.json(`/colorMaps/${style.colors}`));
    const colors = Array.isArray(found[0][0]) ? found.map(([, color]) => color) : found;
    const stops = Array.from({ length: STOPS }, (_, index) => {
      const part = index / (STOPS - 1);
      const [red, green, blue, alpha] = colors[Math.round(part * (colors.length - 1))];
      return [part, [red, green, blue, alpha / 255]];
    });
    const ramp = ["interpolate", ["linear"], ["band", 1], ...stops.flat()];
    return bandCount > 1 ? ["case", ["==", ["band", bandCount], 0], [0, 0, 0, 0], ramp] : ramp;
  }

  #draw(source, record, color, opacity, counts) {
    this.map.put(new ol.layer.WebGLTile({ source, style: color && { color } }), record, opacity);
    this.map.map.once("postrender", () => this.map.map.once("rendercomplete", () => {
      counts.drawn = true;
      this.#count(counts);
    }));
  }

  #count(counts) {
    if (counts !== this.#counts) return;
    const { ranges, bytes: read, drawn, record } = counts;
    this.#tell(`${drawn ? "Drawn from" : "Reading"} ${ranges} byte ranges, ${bytes(read)} of ${bytes(record.size_bytes)}`);
  }

  #tell(text) { find("direct-told").textContent = text; }
}

// What the map can bring into its own projection: it knows Web Mercator, degrees and UTM; others come as PROJ writes them.
function projectionOf({ id, crs }, info) {
  const known = crs && ol.proj.get(crs);
  if (known) return known;
  if (!info?.crs_proj) return undefined;
  const code = /^EPSG:\d+$/.test(crs ?? "") ? crs : `dataset:${id}`;
  globalThis.proj4.defs(code, info.crs_proj);
  ol.proj.proj4.register(globalThis.proj4);
  return ol.proj.get(code);
}

function words(error, failed) {
  const cause = failed ?? error;
  if (cause instanceof Refused && [401, 403].includes(cause.status)) return "Only those who may download this file can read it directly.";
  return cause instanceof Refused || cause instanceof Unreachable ? cause.message : "This browser cannot read the file directly.";
}

// These libraries put themselves into globals; they are large, and only this way of drawing wants them.
function loaded(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Unreachable("The server does not answer.")));
    script.src = url;
    document.head.append(script);
  });
}
