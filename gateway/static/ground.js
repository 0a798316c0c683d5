// What lies below the datasets: land and water everywhere, and over it the operator's tiles or a Blue Marble.

import { datasetPath } from "./api.js";
import { make } from "./dom.js";
import { TileFeed, loader } from "./tiles.js";

const { ol } = globalThis;
// Beyond this zoom level a picture of the world is a smear, and its own neutral drawing is better.
const MARBLE_ENDS = [5, 6.5];
// Generalised for 1:50 million: nearer it would be wrong by more than it helps.
const LAND_ENDS = [7.5, 9.5];
const dark = matchMedia("(prefers-color-scheme: dark)");
// So near to a corner of the map no label begins.
const CORNER_PIXELS = { wide: 36, high: 32 };
const LINES = "rgba(120,135,140,0.35)";

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const label = (placed) => new ol.style.Text({ font: "11px system-ui, sans-serif", fill: new ol.style.Fill({ color: "#73828a" }), ...placed });
// The picture is there to tell places, not to be looked at.
const MUTED = 0.6;
// How much of a layer is left at a zoom level, from 1 to 0 between its two ends.
const left = (zoom, [from, to]) => Math.min(1, Math.max(0, (to - zoom) / (to - from)));

export class Ground {
  #pictures = [];
  #on = true;
  #hidden = false;

  constructor(map, attribution) {
    this.map = map;
    this.attribution = attribution;
    this.marble = null;
    // Longitudes stand along the upper edge and latitudes along the right one: none in the corner of both, none cut.
    const seen = (text, lon, lat) => (this.#isClear(lon, lat) ? text : "");
    this.graticule = new ol.layer.Graticule({
      showLabels: true,
      lonLabelFormatter: (lon) => seen(ol.coordinate.degreesToStringHDMS("EW", lon), lon, null),
      latLabelFormatter: (lat) => seen(ol.coordinate.degreesToStringHDMS("NS", lat), null, lat),
      wrapX: true,
      strokeStyle: new ol.style.Stroke({ color: LINES, width: 1 }),
      // Away from the legend and the scale, which are below.
      lonLabelPosition: 1,
      lonLabelStyle: label({ textBaseline: "top", offsetY: 4 }),
      latLabelStyle: label({ textAlign: "end", textBaseline: "bottom", offsetX: -4, offsetY: -2 }),
      zIndex: 0.5,
    });
    this.land = new ol.layer.Vector({ source: new ol.source.Vector(), zIndex: 0, updateWhileAnimating: true, updateWhileInteracting: true });
    map.addLayer(this.land);
    map.addLayer(this.graticule);
    this.#paint();
    dark.addEventListener("change", () => this.#paint());
    map.getView().on("change:resolution", () => this.#balance());
  }

  // Draws the coasts of the world.
  async findLand(url) {
    const answer = await fetch(url);
    if (!answer.ok) return;
    const features = new ol.format.TopoJSON().readFeatures(await answer.json(), { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });
    this.land.getSource().addFeatures(features);
    this.#balance();
  }

  // Draws the operator's tiles. Their server learns our origin, and no more of our address.
  useTemplate(url, credit) {
    const load = (tile, source) => Object.assign(tile.getImage(), { referrerPolicy: "origin", src: source });
    this.#pictures = [new ol.layer.Tile({ source: new ol.source.XYZ({ url, tileLoadFunction: load }), zIndex: 0.2 })];
    this.#add();
    this.attribution.replaceChildren(...credited(credit));
    this.attribution.hidden = !credit;
  }

  // Draws the Blue Marble, when the visitor may see one: its one tile of the world first, and finer ones over that.
  async findMarble(api) {
    const { datasets } = await api.json("/datasets", { query: { q: "marble", limit: 50 } });
    const wide = ({ bounds }) => bounds && bounds[2] - bounds[0] > 350;
    const found = datasets.find((each) => /blue[ _-]?marble/i.test(each.title) && each.visibility === "public" && each.count === 3 && wide(each));
    if (!found) return;
    const feed = new TileFeed(api, datasetPath(found.id), {});
    const { template, maxzoom } = await feed.open();
    this.marble = found.id;
    this.#pictures = [0, maxzoom].map((most, index) => {
      const source = new ol.source.XYZ({ url: template, maxZoom: most, transition: 0, tileLoadFunction: loader(feed, () => {}) });
      return new ol.layer.Tile({ source, zIndex: 0.1 + index / 10 });
    });
    this.#add();
  }

  get hasPicture() { return this.#pictures.length > 0; }

  get on() { return this.#on; }

  set on(value) {
    this.#on = value;
    this.#balance();
  }

  // Nothing lies below the ground itself.
  below(id) {
    this.#hidden = Boolean(id) && id === this.marble;
    this.#balance();
  }

  refresh() { for (const layer of this.#pictures) layer.getSource().refresh(); }

  // Whether a label of a longitude, or of a latitude, has room on the map between its corners.
  #isClear(lon, lat) {
    const view = this.map.getView();
    const [west, south, east, north] = view.calculateExtent(this.map.getSize());
    const [x, y] = ol.proj.fromLonLat([lon ?? 0, lat ?? 0]);
    const resolution = view.getResolution();
    if (lat !== null) return north - y > CORNER_PIXELS.high * resolution && y - south > CORNER_PIXELS.high * resolution;
    const turn = ol.extent.getWidth(view.getProjection().getExtent());
    const nearest = x + Math.round(((west + east) / 2 - x) / turn) * turn;
    return Math.min(nearest - west, east - nearest) > CORNER_PIXELS.wide * resolution;
  }

  #add() {
    for (const layer of this.#pictures) this.map.addLayer(layer);
    this.#balance();
  }

  #balance() {
    const zoom = this.map.getView().getZoom();
    const picture = this.#on && !this.#hidden && this.hasPicture ? (this.marble ? left(zoom, MARBLE_ENDS) : 1) : 0;
    for (const layer of this.#pictures) {
      layer.setVisible(picture > 0);
      layer.setOpacity(this.marble ? picture * MUTED : picture);
    }
    this.land.setVisible(picture < 1 || Boolean(this.marble));
    this.land.setOpacity(left(zoom, LAND_ENDS));
    this.graticule.setVisible(picture < 0.5);
  }

  #paint() {
    this.land.setStyle(new ol.style.Style({ fill: new ol.style.Fill({ color: color("--land") }), stroke: new ol.style.Stroke({ color: color("--coast"), width: 0.8 }) }));
  }
}

// Text in which [words](https://...) is a link.
function credited(text) {
  return text.split(/(\[[^\]]*\]\(https?:\/\/[^)\s]*\))/).filter(Boolean).map((part) => {
    const link = /^\[([^\]]*)\]\((.*)\)$/.exec(part);
    return link ? make("a", { href: link[2], rel: "noreferrer", target: "_blank" }, link[1]) : part;
  });
}
