import { example, ofDay } from "./shared.js";

const { L } = globalThis;

example("tilejson.json", async (answer, drawn) => {
  const { tiles, tileSize, bounds, maxzoom, name, days = [] } = await answer.json();
  const [west, south, east, north] = bounds;
  const corners = [[south, west], [north, east]];
  const map = L.map("map").fitBounds(corners);
  map.attributionControl.setPrefix("Leaflet");
  // The gateway draws every zoom level, so there is no least one; beyond the greatest the browser enlarges.
  const layer = L.tileLayer(tiles[0], { tileSize, minZoom: 0, maxNativeZoom: maxzoom, maxZoom: maxzoom + 3, bounds: corners, attribution: L.Util.template("{name}", { name: name.replace(/[<>&]/g, "") }) })
    .on("load", drawn)
    .addTo(map);
  return { end: () => map.remove(), days, show: (day) => layer.setUrl(ofDay(tiles[0], day)) };
});
