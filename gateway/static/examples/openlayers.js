import { example } from "./shared.js";

const { ol } = globalThis;

example("WMTSCapabilities.xml", async (answer, drawn) => {
  const found = new ol.format.WMTSCapabilities().read(await answer.text());
  const [layer] = found.Contents.Layer;
  // REST addresses are those of the tiles themselves, which caches keep.
  const wanted = { layer: layer.Identifier, matrixSet: layer.TileMatrixSetLink[0].TileMatrixSet, requestEncoding: "REST" };
  const options = ol.source.WMTS.optionsFromCapabilities(found, wanted);
  const source = new ol.source.WMTS(options);
  const map = new ol.Map({ target: "map", layers: [new ol.layer.Tile({ source })] });
  map.getView().fit(ol.proj.transformExtent(layer.WGS84BoundingBox, "EPSG:4326", "EPSG:3857"));
  map.on("rendercomplete", drawn);
  // The days of a collection are the dimension Time, whose default is the word for all of them.
  const { Identifier: time, Default: all, Value: values = [] } = layer.Dimension?.[0] ?? {};
  const days = values.filter((value) => value !== all);
  return { end: () => map.setTarget(null), days, show: (day) => source.updateDimensions({ [time]: day ?? all }) };
});
