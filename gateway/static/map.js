// The map: ground, one dataset over it, what lies around it, and where the visitor looks.

import { datasetPath } from "./api.js";
import { debounced, find, icon, make } from "./dom.js";
import { onMap } from "./footprints.js";
import { number, place } from "./format.js";
import { TileFeed, loader } from "./tiles.js";

const { ol } = globalThis;
// A place near 0, 0 is meant: coordinates here are metres.
ol.proj.disableCoordinateWarning();
const LONGEST_WAIT_MS = 1000;
const WORLD = [-180, -60, 180, 75];
// Screens of fine pixels get tiles of as many.
export const SCALE = devicePixelRatio > 1.25 ? 2 : 1;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const paced = () => (calm.matches ? 0 : 250);

export class DatasetMap extends EventTarget {
  #layer = null;
  #asking = null;
  #valued = null;

  constructor(api) {
    super();
    this.api = api;
    this.view = new ol.View({ center: [0, 2e6], zoom: 1.5, minZoom: 0, maxZoom: 24, constrainResolution: false });
    this.map = new ol.Map({
      target: "map",
      view: this.view,
      layers: [],
      // The map is beside the page's text, not in it: nothing else is to be scrolled there.
      interactions: ol.interaction.defaults.defaults({ onFocusOnly: false }),
      controls: ol.control.defaults.defaults({ attribution: false, rotate: false, zoom: false }).extend([new ol.control.ScaleLine()]),
    });
    this.map.on("moveend", () => { this.#tell(); this.dispatchEvent(new Event("moved")); });
    this.map.on("loadstart", () => { find("map-busy").hidden = false; });
    this.map.on("loadend", () => { find("map-busy").hidden = true; });
    this.map.on("singleclick", ({ coordinate }) => this.#point(coordinate));
    this.map.on("pointermove", ({ coordinate, dragging }) => !dragging && this.#hover(coordinate));
    this.map.getViewport().addEventListener("pointerleave", () => this.#left());
    find("map").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target === find("map")) this.#point(this.view.getCenter()); });
    this.value = debounced((lon, lat) => this.#value(lon, lat), 300);
    this.#furnish();
  }

  // Puts a layer of a dataset on the map, in the place of the one before.
  put(layer, record, opacity) {
    layer.setZIndex(2);
    layer.setOpacity(opacity);
    this.map.addLayer(layer);
    if (this.#layer) this.map.removeLayer(this.#layer);
    this.#layer = layer;
    this.record = record;
    this.#tell();
    this.wait();
  }

  // Draws a dataset by tiles; `query` are the style's parameters. Rejects as the API does.
  async show(record, query, opacity) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    const feed = new TileFeed(this.api, datasetPath(record.id), [...query, ["tile_scale", SCALE]]);
    const document = await feed.open(asking.signal);
    if (asking.signal.aborted) throw new DOMException("", "AbortError");
    this.put(this.tiles(feed, document), record, opacity);
  }

  clear() {
    this.#asking?.abort();
    if (this.#layer) this.map.removeLayer(this.#layer);
    this.#layer = this.record = null;
    this.#left();
    this.#tell();
  }

  refresh() { this.#layer?.getSource().refresh(); }

  setOpacity(value) {
    this.#layer?.setOpacity(value);
    this.wait();
  }

  // Where the home button leads.
  fit(bounds) {
    this.home = bounds;
    if (bounds) this.view.fit(onMap(bounds), { size: this.map.getSize(), padding: [60, 40, 60, 40], maxZoom: 18, duration: calm.matches ? 0 : 350 });
  }

  // Looks at an extent of the map from as far as its surroundings are worth.
  around(extent, maxZoom) {
    this.view.fit(extent, { size: this.map.getSize(), padding: [70, 70, 70, 70], maxZoom, duration: calm.matches ? 0 : 350 });
  }

  get at() {
    const [lon, lat] = ol.proj.toLonLat(this.view.getCenter());
    return { zoom: this.view.getZoom(), lon, lat };
  }

  go({ zoom, lon, lat }) {
    this.view.setCenter(ol.proj.fromLonLat([lon, lat]));
    this.view.setZoom(zoom);
  }

  // West, south, east, north in degrees of what can be seen.
  get extent() {
    const [west, south, east, north] = ol.proj.transformExtent(this.view.calculateExtent(this.map.getSize()), "EPSG:3857", "EPSG:4326");
    if (east - west >= 360) return [-180, Math.max(-90, south), 180, Math.min(90, north)];
    return [turned(west), Math.max(-90, south), turned(east), Math.min(90, north)];
  }

  // A button that switches the ground's picture on and off, for a map that has one.
  offerGround(ground) {
    const button = this.#button("ground", "Picture of the ground", () => {
      ground.on = !ground.on;
      button.setAttribute("aria-pressed", String(ground.on));
    });
    button.setAttribute("aria-pressed", "true");
    find("tools").append(make("div", {}, button));
  }

  // A layer of the tiles that a feed's document has.
  tiles(feed, { template, bounds, maxzoom }, failed = (error) => this.dispatchEvent(new CustomEvent("failed", { detail: error }))) {
    // The gateway draws every zoom level out of overviews, so there is no least one.
    const source = new ol.source.XYZ({ url: template, maxZoom: maxzoom, tilePixelRatio: SCALE, transition: calm.matches ? 0 : 200, tileLoadFunction: loader(feed, failed), interpolate: false });
    const wide = bounds[2] - bounds[0] >= 360 || bounds[0] > bounds[2];
    return new ol.layer.Tile({ source, extent: wide ? undefined : onMap(bounds) });
  }

  #furnish() {
    const zoom = (by) => this.view.animate({ zoom: this.view.getZoom() + by, duration: paced() });
    const near = make("div", {}, this.#button("plus", "Zoom in", () => zoom(1)), this.#button("minus", "Zoom out", () => zoom(-1)));
    const frame = make("div", {}, this.#button("fit", "Show all of it", () => this.fit(this.home ?? WORLD)));
    if (document.fullscreenEnabled) frame.append(this.#button("expand", "Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : find("stage").requestFullscreen())));
    find("tools").append(near, frame);
  }

  #button(drawn, label, run) { return make("button", { type: "button", title: label, "aria-label": label, onclick: run }, icon(drawn)); }

  // Resolves when all can be seen, at the latest when the ground has waited long enough for what is slow to draw.
  soonDrawn() { return Promise.race([this.drawn, new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS))]); }

  // Says in the map's own element when all of what was asked for can be seen.
  wait() {
    find("map").setAttribute("aria-busy", "true");
    this.drawn = new Promise((resolve) => this.map.once("postrender", () => this.map.once("rendercomplete", resolve)));
    this.drawn.then(() => find("map").setAttribute("aria-busy", "false"));
    this.map.render();
  }

  // Place under the pointer at once, and the value there when it rests.
  #hover(coordinate) {
    const [lon, lat] = ol.proj.toLonLat(coordinate);
    this.#valued?.abort();
    this.pointed = [turned(lon), lat];
    find("pointer").textContent = place(...this.pointed);
    // Of a layer every pointer that rests would open many files.
    if (this.record?.id) this.value(...this.pointed);
  }

  #left() {
    this.#valued?.abort();
    this.pointed = null;
    find("pointer").textContent = "";
  }

  async #value(lon, lat) {
    const { record, pointed } = this;
    if (!record || !pointed || pointed[0] !== lon || pointed[1] !== lat) return;
    this.#valued = new AbortController();
    try {
      const { values } = await this.api.json(`${datasetPath(record.id)}/point/${lon},${lat}`, { signal: this.#valued.signal });
      if (this.pointed === pointed) find("pointer").textContent = `${place(lon, lat)} · ${values.slice(0, 4).map(number).join(", ")}${values.length > 4 ? " …" : ""}`;
    } catch {
      // Outside of the data there is none, and a click says so in words.
    }
  }

  #point(coordinate) {
    const [lon, lat] = ol.proj.toLonLat(coordinate);
    this.dispatchEvent(new CustomEvent("point", { detail: { coordinate, lon: turned(lon), lat } }));
  }

  #tell() {
    const { zoom, lon, lat } = this.at;
    find("map-told").textContent = `${this.record ? `Shows ${this.record.title}. ` : ""}The middle is at ${place(turned(lon), lat)}, zoom level ${zoom.toFixed(1)}.`;
  }
}

const turned = (lon) => ((lon + 180) % 360 + 360) % 360 - 180;
