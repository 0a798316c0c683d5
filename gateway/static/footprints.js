// The outlines of what the list shows, on the map: one is lit with its row, and a click on it opens it.

const { ol } = globalThis;
// A smaller outline is a dot, so that it can be seen and hit.
const LEAST_PIXELS = 10;
const NEAR_PIXELS = 9;
const MOST_LATITUDE = 85.0511287798066;
const WORLD_DEGREES = 350;
// Of a dataset and a collection of this one alone the dataset is meant.
const COLLECTION_SIZE = 1.1;
const LABEL_LETTERS = 32;
const NOTHING = { datasets: [], collections: [], frame: null };
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Footprints extends EventTarget {
  #lit = null;
  #quiet = false;
  #hollow = false;
  #listed = NOTHING;

  constructor(map) {
    super();
    this.map = map;
    this.source = new ol.source.Vector();
    this.layer = new ol.layer.Vector({ source: this.source, zIndex: 5, declutter: true, style: (feature, resolution) => this.#style(feature, resolution) });
    map.addLayer(this.layer);
    map.on("pointermove", (event) => !event.dragging && this.#hover(event));
    map.getViewport().addEventListener("pointerleave", () => this.light(null, true));
    dark.addEventListener("change", () => this.layer.changed());
  }

  // Shows the outlines of what the list has: each with its key, title and bounds; `frame` are the bounds of what holds them.
  show(listed) {
    this.#listed = listed;
    if (!this.#quiet) this.#fill(listed);
  }

  // Shows the outline of one that has no picture.
  alone({ id, title, bounds }) { this.#fill({ ...NOTHING, datasets: bounds ? [{ key: `dataset:${id}`, title, bounds }] : [] }); }

  #fill({ datasets, collections, frame }) {
    this.source.clear();
    this.source.addFeatures([
      ...drawn(frame ? [{ key: null, title: "", bounds: frame }] : [], "frame"),
      ...drawn(collections, "collection"),
      ...drawn(datasets, "dataset"),
    ]);
  }

  // What holds all outlines but the frame, or null.
  extent() {
    const extent = ol.extent.createEmpty();
    for (const feature of this.source.getFeatures()) if (feature.kind !== "frame") ol.extent.extend(extent, feature.getGeometry().getExtent());
    return ol.extent.isEmpty(extent) ? null : extent;
  }

  // While a dataset is drawn, its values are what a click asks for.
  set quiet(value) {
    this.#quiet = value;
    this.#fill(value ? NOTHING : this.#listed);
  }

  // Over pictures of what it outlines an outline covers nothing.
  set hollow(value) {
    this.#hollow = value;
    this.layer.changed();
  }

  light(key, tell = false) {
    if (key === this.#lit) return;
    this.#lit = key;
    this.layer.changed();
    if (tell) this.dispatchEvent(new CustomEvent("hover", { detail: key }));
  }

  // The key of the smallest outline at a coordinate, or null.
  at(coordinate) {
    if (this.#quiet) return null;
    const near = this.map.getView().getResolution() * NEAR_PIXELS;
    const turn = ol.extent.getWidth(ol.proj.get("EPSG:3857").getExtent());
    const [x, y] = coordinate;
    const found = this.source.getFeatures().filter((feature) => {
      const extent = feature.getGeometry().getExtent();
      const small = Math.min(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) < near;
      const reach = small ? ol.extent.buffer(extent, near) : extent;
      return feature.key && [-turn, 0, turn].some((by) => ol.extent.containsXY(reach, ((x % turn) + by), y));
    });
    const size = (feature) => feature.getGeometry().getArea() * (feature.kind === "dataset" ? 1 : COLLECTION_SIZE);
    found.sort((one, other) => size(one) - size(other));
    return found[0]?.key ?? null;
  }

  #hover({ coordinate }) {
    if (this.#quiet) return;
    const key = this.at(coordinate);
    this.map.getTargetElement().classList.toggle("pointing", Boolean(key));
    this.light(key, true);
  }

  #style(feature, resolution) {
    const lit = feature.key !== null && feature.key === this.#lit;
    const colours = coloured(lit);
    const extent = feature.getGeometry().getExtent();
    const zIndex = lit ? 1e6 : -ol.extent.getArea(extent) / 1e12;
    const whole = feature.kind !== "dataset";
    const stroke = new ol.style.Stroke({ color: colours.line, width: lit ? 3 : 1.6, lineDash: whole ? [7, 5] : undefined });
    const label = whole || lit ? labelled(feature.title, colours, ol.extent.getHeight(extent) / resolution / 2) : undefined;
    if (Math.max(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) / resolution >= LEAST_PIXELS) {
      if (this.#hollow && !lit) return [new ol.style.Style({ stroke: new ol.style.Stroke({ color: colours.faint, width: 1, lineDash: whole ? [7, 5] : undefined }), zIndex, text: label })];
      const rim = new ol.style.Stroke({ color: colours.rim, width: lit ? 6 : 4 });
      const fill = new ol.style.Fill({ color: feature.kind === "frame" || this.#hollow ? "transparent" : colours.fill });
      return [new ol.style.Style({ stroke: rim, zIndex }), new ol.style.Style({ stroke, fill, zIndex, text: label })];
    }
    if (feature.kind === "frame" || (this.#hollow && !lit)) return [];
    const dot = new ol.style.Circle({ radius: lit ? 7 : 5, fill: new ol.style.Fill({ color: colours.line }), stroke: new ol.style.Stroke({ color: colours.rim, width: 2 }), declutterMode: "none" });
    return [new ol.style.Style({ image: dot, geometry: new ol.geom.Point(ol.extent.getCenter(extent)), zIndex, text: label })];
  }
}

function coloured(lit) {
  const line = lit ? "#e8590c" : dark.matches ? "#57c4b4" : "#0f6b62";
  const fill = lit ? "rgba(232,89,12,.18)" : dark.matches ? "rgba(87,196,180,.12)" : "rgba(15,107,98,.10)";
  const faint = dark.matches ? "rgba(87,196,180,.5)" : "rgba(15,107,98,.5)";
  return { line, fill, faint, rim: dark.matches ? "rgba(6,20,18,.8)" : "rgba(255,255,255,.85)", text: dark.matches ? "#e7eeec" : "#15211f" };
}

// Above the outline, which reaches so many pixels up from its middle.
function labelled(title, colours, up) {
  const text = title.length > LABEL_LETTERS ? `${title.slice(0, LABEL_LETTERS - 1)}…` : title;
  return new ol.style.Text({ text, font: "600 13px system-ui, sans-serif", overflow: true, offsetY: -up - 12, fill: new ol.style.Fill({ color: colours.text }), stroke: new ol.style.Stroke({ color: colours.rim, width: 4 }) });
}

// What spans the world has no outline to see.
function drawn(listed, kind) {
  const placed = listed.filter(({ bounds: [west, , east] }) => east - west < WORLD_DEGREES);
  return placed.map(({ key, title, bounds }) => Object.assign(new ol.Feature(ol.geom.Polygon.fromExtent(onMap(bounds))), { key, title, kind }));
}

// West, south, east, north in degrees as the map's own extent; across the antimeridian it goes on eastward.
export function onMap([west, south, east, north]) {
  const clipped = [west, Math.max(south, -MOST_LATITUDE), west > east ? east + 360 : east, Math.min(north, MOST_LATITUDE)];
  return ol.proj.transformExtent(clipped, "EPSG:4326", "EPSG:3857");
}
