import { example } from "./shared.js";

const { ol } = globalThis;

example("WMTSCapabilities.xml", async (answer, drawn) => {
  const found = new ol.format.WMTSCapabilities().read(await answer.text());
  const [layer] = found.Contents.Layer;
  // REST addresses are those of the tiles themselves, which caches keep.
  const wanted = { layer: layer.Identifier, matrixSet: layer.TileMatrixSetLink[0].TileMatrixSet, requestEncoding: "REST" };
  const options = ol.source.WMTS.optionsFromCapabilities(found, wanted);
  const map = new ol.Map({ target: "map", layers: [new ol.layer.Tile({ source: new ol.source.WMTS(options) })] });
  map.getView().fit(ol.proj.transformExtent(layer.WGS84BoundingBox, "EPSG:4326", "EPSG:3857"));
  map.once("rendercomplete", drawn);
  return () => map.setTarget(null);
});
