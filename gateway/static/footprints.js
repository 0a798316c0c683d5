// The outlines of what the list shows, on the map: one is lit with its row, and a click on it opens the dataset.

const { ol } = globalThis;
// A smaller outline is a dot, so that it can be seen and hit.
const LEAST_PIXELS = 10;
const NEAR_PIXELS = 9;
const MOST_LATITUDE = 85.0511287798066;
const WORLD_DEGREES = 350;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Footprints extends EventTarget {
  #lit = null;
  #quiet = false;

  constructor(map) {
    super();
    this.map = map;
    this.source = new ol.source.Vector();
    this.layer = new ol.layer.Vector({ source: this.source, zIndex: 5, style: (feature, resolution) => this.#style(feature, resolution) });
    map.addLayer(this.layer);
    map.on("pointermove", (event) => !event.dragging && this.#hover(event));
    map.getViewport().addEventListener("pointerleave", () => this.light(null, true));
    dark.addEventListener("change", () => this.layer.changed());
  }

  // Shows the outlines of datasets that the list has.
  show(datasets) {
    this.listed = datasets;
    if (!this.#quiet) this.#fill(datasets);
  }

  // Shows the outline of one that has no picture.
  alone(dataset) { this.#fill([dataset]); }

  #fill(datasets) {
    this.source.clear();
    // What spans the world has no outline to see.
    const placed = datasets.filter(({ bounds }) => bounds && bounds[2] - bounds[0] < WORLD_DEGREES);
    this.source.addFeatures(placed.map(({ id, bounds }) => Object.assign(new ol.Feature(ol.geom.Polygon.fromExtent(onMap(bounds))), { dataset: id })));
  }

  // What holds all outlines, or null.
  get extent() { return this.source.isEmpty() ? null : this.source.getExtent(); }

  // While a dataset is drawn, its values are what a click asks for.
  set quiet(value) {
    this.#quiet = value;
    this.#fill(value ? [] : this.listed ?? []);
  }

  light(id, tell = false) {
    if (id === this.#lit) return;
    this.#lit = id;
    this.layer.changed();
    if (tell) this.dispatchEvent(new CustomEvent("hover", { detail: id }));
  }

  // The id of the smallest outline at a coordinate, or null.
  at(coordinate) {
    if (this.#quiet) return null;
    const near = this.map.getView().getResolution() * NEAR_PIXELS;
    const turn = ol.extent.getWidth(ol.proj.get("EPSG:3857").getExtent());
    const [x, y] = coordinate;
    const found = this.source.getFeatures().filter((feature) => {
      const extent = feature.getGeometry().getExtent();
      const small = Math.min(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) < near;
      const reach = small ? ol.extent.buffer(extent, near) : extent;
      return [-turn, 0, turn].some((by) => ol.extent.containsXY(reach, ((x % turn) + by), y));
    });
    found.sort((one, other) => one.getGeometry().getArea() - other.getGeometry().getArea());
    return found[0]?.dataset ?? null;
  }

  #hover({ coordinate }) {
    if (this.#quiet) return;
    const id = this.at(coordinate);
    this.map.getTargetElement().classList.toggle("pointing", Boolean(id));
    this.light(id, true);
  }

  #style(feature, resolution) {
    const lit = feature.dataset === this.#lit;
    const accent = dark.matches ? "#57c4b4" : "#0f6b62";
    const rim = new ol.style.Stroke({ color: dark.matches ? "rgba(6,20,18,.8)" : "rgba(255,255,255,.85)", width: lit ? 6 : 4 });
    const stroke = new ol.style.Stroke({ color: lit ? "#e8590c" : accent, width: lit ? 3 : 1.6 });
    const fill = new ol.style.Fill({ color: lit ? "rgba(232,89,12,.18)" : dark.matches ? "rgba(87,196,180,.12)" : "rgba(15,107,98,.10)" });
    const extent = feature.getGeometry().getExtent();
    const zIndex = lit ? 1e6 : -ol.extent.getArea(extent) / 1e12;
    if (Math.max(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) / resolution >= LEAST_PIXELS) return [new ol.style.Style({ stroke: rim, zIndex }), new ol.style.Style({ stroke, fill, zIndex })];
    const dot = new ol.style.Circle({ radius: lit ? 7 : 5, fill: new ol.style.Fill({ color: stroke.getColor() }), stroke: new ol.style.Stroke({ color: rim.getColor(), width: 2 }) });
    return new ol.style.Style({ image: dot, geometry: new ol.geom.Point(ol.extent.getCenter(extent)), zIndex });
  }
}

// West, south, east, north in degrees as the map's own extent; across the antimeridian it goes on eastward.
export function onMap([west, south, east, north]) {
  const clipped = [west, Math.max(south, -MOST_LATITUDE), west > east ? east + 360 : east, Math.min(north, MOST_LATITUDE)];
  return ol.proj.transformExtent(clipped, "EPSG:4326", "EPSG:3857");
}
