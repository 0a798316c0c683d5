// The map: ground, one dataset over it, and where the visitor looks.

import { find } from "./dom.js";
import { place } from "./format.js";
import { TileFeed, loader } from "./tiles.js";

const { ol } = globalThis;
const WORLD = [-180, -85.0511287798066, 180, 85.0511287798066];
const toMap = (extent) => ol.proj.transformExtent(extent, "EPSG:4326", "EPSG:3857");
// Readable on the light and on the dark ground.
const LINES = "rgba(128,140,150,0.45)";
const label = (placed) => new ol.style.Text({ font: "11px system-ui, sans-serif", fill: new ol.style.Fill({ color: "#73828a" }), ...placed });
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class DatasetMap extends EventTarget {
  #layer = null;
  #ground = null;
  #feed = null;
  #groundId = null;
  #asking = null;

  constructor(api) {
    super();
    this.api = api;
    this.view = new ol.View({ center: [0, 2e6], zoom: 1.5, minZoom: 0, maxZoom: 24, constrainResolution: false });
    this.graticule = new ol.layer.Graticule({
      showLabels: true,
      wrapX: true,
      strokeStyle: new ol.style.Stroke({ color: LINES, width: 1 }),
      // Away from the legend and the scale, which are below.
      lonLabelPosition: 1,
      lonLabelStyle: label({ textBaseline: "top", offsetY: 4 }),
      latLabelStyle: label({ textAlign: "end", textBaseline: "bottom", offsetX: -4, offsetY: -2 }),
      zIndex: 1,
    });
    this.map = new ol.Map({
      target: "map",
      view: this.view,
      layers: [this.graticule],
      controls: ol.control.defaults.defaults({ attribution: false, rotate: false, zoomOptions: { zoomInTipLabel: "Zoom in", zoomOutTipLabel: "Zoom out" } }).extend([new ol.control.ScaleLine()]),
    });
    this.map.on("moveend", () => { this.#tell(); this.dispatchEvent(new Event("moved")); });
    this.map.on("loadstart", () => { find("map-busy").hidden = false; });
    this.map.on("loadend", () => { find("map-busy").hidden = true; });
    this.map.on("singleclick", (event) => this.#point(event.coordinate));
    find("map").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target === find("map")) this.#point(this.view.getCenter()); });
  }

  // Draws the Blue Marble below everything else, when the visitor may see one.
  async findGround() {
    const { datasets } = await this.api.json("/datasets", { query: { q: "marble", limit: 50 } });
    const wide = ({ bounds }) => bounds && bounds[2] - bounds[0] > 350;
    const found = datasets.find((each) => /blue[ _-]?marble/i.test(each.title) && each.visibility === "public" && each.count === 3 && wide(each));
    if (!found) return;
    const feed = new TileFeed(this.api, found.id, {});
    this.#groundId = found.id;
    this.#ground = this.#tiles(feed, await feed.open(), 0, () => {});
    this.map.addLayer(this.#ground);
    this.#balance();
  }

  // Draws a dataset; `query` are the style's parameters. Resolves to its TileJSON. Rejects as the API does.
  async show(record, query, opacity) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    const scale = devicePixelRatio > 1.25 ? 2 : 1;
    const feed = new TileFeed(this.api, record.id, [...query, ["tile_scale", scale]]);
    const document = await feed.open(asking.signal);
    if (asking.signal.aborted) throw new DOMException("", "AbortError");
    const layer = this.#tiles(feed, document, 2, (error) => this.dispatchEvent(new CustomEvent("failed", { detail: error })), scale);
    layer.setOpacity(opacity);
    this.map.addLayer(layer);
    this.#drop(this.#layer);
    this.#layer = layer;
    this.#feed = feed;
    this.record = record;
    this.#balance();
    this.#tell();
    this.#await();
    return document;
  }

  clear() {
    this.#asking?.abort();
    this.#drop(this.#layer);
    this.#layer = this.record = null;
    this.#balance();
    this.#tell();
  }

  refresh() {
    this.#layer?.getSource().refresh();
    this.#ground?.getSource().refresh();
  }

  setOpacity(value) {
    this.#layer?.setOpacity(value);
    this.#await();
  }

  fit(bounds) {
    const [west, south, east, north] = bounds;
    const extent = toMap([west, Math.max(south, WORLD[1]), west > east ? east + 360 : east, Math.min(north, WORLD[3])]);
    this.view.fit(extent, { size: this.map.getSize(), padding: [48, 32, 48, 32], maxZoom: 18, duration: calm.matches ? 0 : 350 });
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

  #tiles(feed, { template, bounds, maxzoom }, zIndex, failed, tilePixelRatio = 1) {
    const isGround = zIndex === 0;
    // The gateway draws every zoom level out of overviews, so there is no least one.
    const source = new ol.source.XYZ({ url: template, maxZoom: maxzoom, tilePixelRatio, transition: calm.matches ? 0 : 200, tileLoadFunction: loader(feed, failed), interpolate: isGround });
    const wide = bounds[2] - bounds[0] >= 360 || bounds[0] > bounds[2];
    return new ol.layer.Tile({ source, zIndex, extent: wide ? undefined : toMap(bounds) });
  }

  // Says in the map's own element when all of what was asked for can be seen.
  #await() {
    find("map").setAttribute("aria-busy", "true");
    this.map.once("postrender", () => this.map.once("rendercomplete", () => find("map").setAttribute("aria-busy", "false")));
    this.map.render();
  }

  #drop(layer) { if (layer) this.map.removeLayer(layer); }

  // Nothing lies below the ground itself, and lines help where there is no ground.
  #balance() {
    const isGround = this.record && this.record.id === this.#groundId;
    this.#ground?.setVisible(!isGround);
    this.graticule.setVisible(!this.#ground || Boolean(isGround));
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
