import * as maplibregl from "../static/vendor/maplibre-gl-6.17.0/maplibre-gl.mjs";
import { example, ofDay } from "./shared.js";

example("tilejson.json", async (answer, drawn) => {
  const { tiles, tileSize, bounds, minzoom, maxzoom, days = [] } = await answer.json();
  const map = new maplibregl.Map({
    container: "map",
    bounds,
    style: {
      version: 8,
      sources: { dataset: { type: "raster", tiles, tileSize, bounds, minzoom: Math.min(minzoom, 0), maxzoom } },
      layers: [{ id: "dataset", type: "raster", source: "dataset" }],
    },
  });
  map.on("idle", drawn);
  return { end: () => map.remove(), days, show: (day) => map.getSource("dataset").setTiles([ofDay(tiles[0], day)]) };
});
