// The lines that use a dataset or a layer in other programs, for the style that is on screen. Text in, text out.

const VENDOR = { leaflet: "static/vendor/leaflet-1.9.4", maplibre: "static/vendor/maplibre-gl-6.17.0", openlayers: "static/vendor/ol-10.11.0" };
const FULL = "<style>html, body, #map { height: 100%; margin: 0; }</style>\n<div id=\"map\"></div>";
const TOKEN_LINE = "# TOKEN is your access token: ask your administrator, or run cog-gateway token --sub NAME";

// `given` has the addresses self, api, root, tilejson, wmts, tiles and preview, those of maps with a tile token where one
// is needed; placed (whether it lies on the map), query (the style), signedIn, open (whether public files need no token), name (for a
// file that is made), and file, null for a layer: the dataset's id, and whether everybody may have it, isPublic.
// Each client gives titled lines.
export const CLIENTS = {
  qgis: { title: "QGIS", lines: qgis },
  leaflet: { title: "Leaflet", lines: (given) => [page("One page, to save and open", leaflet(given))] },
  maplibre: { title: "MapLibre", lines: (given) => [page("One page, to serve from any web server", maplibre(given))] },
  openlayers: { title: "OpenLayers", lines: (given) => [page("One page, to save and open", openlayers(given))] },
  gdal: { title: "GDAL", lines: gdal },
  python: { title: "Python", lines: (given) => [{ title: "rasterio: the values of the file", text: python(given), kind: "file" }] },
  curl: { title: "curl", lines: curl },
};

// Programs that only draw maps have nothing to do with a file without a place, and those that read files nothing with a layer.
export const clientsOf = ({ placed, file }) => Object.keys(CLIENTS).filter((name) => (file || name !== "python") && (placed || ["gdal", "python", "curl"].includes(name)));

const page = (title, text) => ({ title, text, kind: "style" });

// An address with the style in it, before a token that it may have.
function styled({ query }, address) {
  const [path, token] = address.split("?");
  const text = [new URLSearchParams(query).toString(), token].filter(Boolean).join("&");
  return text ? `${path}?${text}` : path;
}

function qgis(given) {
  return [
    { title: "WMTS", where: "Layer › Add Layer › Add WMS/WMTS Layer › New: paste it as URL.", text: styled(given, given.wmts), kind: "style" },
    { title: "XYZ tiles", where: "Browser › XYZ Tiles › New Connection: paste it as URL. They have no extent: zoom to the place yourself.", text: styled(given, given.tiles), kind: "style" },
    ...(given.open && given.file?.isPublic ? [{ title: "The values", where: "Data Source Manager › Raster › Protocol HTTP(S): paste it as URI.", text: address(given), kind: "file" }] : []),
  ];
}

function leaflet(given) {
  return `<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="${given.root}${VENDOR.leaflet}/leaflet.css">
<script src="${given.root}${VENDOR.leaflet}/leaflet.js"></script>
${FULL}
<script>
  fetch("${styled(given, given.tilejson)}")
    .then((answer) => answer.json())
    .then(({ tiles, tileSize, maxzoom, bounds: [west, south, east, north] }) => {
      const map = L.map("map").fitBounds([[south, west], [north, east]]);
      L.tileLayer(tiles[0], { tileSize, maxNativeZoom: maxzoom, maxZoom: maxzoom + 3 }).addTo(map);
    });
</script>`;
}

function maplibre(given) {
  return `<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="${given.root}${VENDOR.maplibre}/maplibre-gl.css">
${FULL}
<script type="module">
  import * as maplibregl from "${given.root}${VENDOR.maplibre}/maplibre-gl.mjs";
  const url = "${styled(given, given.tilejson)}";
  const { bounds, tileSize } = await (await fetch(url)).json();
  new maplibregl.Map({
    container: "map",
    bounds,
    style: {
      version: 8,
      sources: { dataset: { type: "raster", url, tileSize } },
      layers: [{ id: "dataset", type: "raster", source: "dataset" }],
    },
  });
</script>`;
}

function openlayers(given) {
  return `<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="${given.root}${VENDOR.openlayers}/ol.css">
<script src="${given.root}${VENDOR.openlayers}/ol.js"></script>
${FULL}
<script>
  fetch("${styled(given, given.tilejson)}")
    .then((answer) => answer.json())
    .then(({ tiles, tileSize, maxzoom, bounds }) => {
      const source = new ol.source.XYZ({ url: tiles[0], tileSize, maxZoom: maxzoom });
      const map = new ol.Map({ target: "map", layers: [new ol.layer.Tile({ source })] });
      map.getView().fit(ol.proj.transformExtent(bounds, "EPSG:4326", "EPSG:3857"));
    });
</script>`;
}

// Names for files that are made; programs take what begins with a minus for an option.
const NAME_LENGTH = 100;
export const fileName = (text) => text.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[-._]+/, "").slice(0, NAME_LENGTH).replace(/[-._]+$/, "") || "dataset";

const address = ({ self, name }) => `${self}/download/${name}.tif`;

// Whether the file wants the access token, a download token that everybody may have, or nothing.
const way = ({ file: { isPublic }, open, signedIn }) => (isPublic && open ? "plain" : isPublic && !signedIn ? "minted" : "bearer");

const minting = ({ api, file: { id } }) => `T=$(curl -sf -X POST "${api}/auth/download-token/${id}" | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')`;

function gdal(given) {
  const picture = { title: "A picture of the map, in this style", text: `gdal_translate -outsize 1024 0 "WMTS:${styled(given, given.wmts)}" ${given.name}-map.tif`, kind: "style" };
  return [given.file && values(given), given.placed && picture].filter(Boolean);
}

function values(given) {
  const how = way(given);
  const lines = { plain: [], minted: [minting(given)], bearer: [TOKEN_LINE, 'export GDAL_HTTP_HEADERS="Authorization: Bearer $TOKEN"'] }[how];
  const path = `/vsicurl/${address(given)}${how === "minted" ? "?token=$T" : ""}`;
  return { title: "The values of the file", text: [...lines, "export GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR", `gdalinfo "${path}"`].join("\n"), kind: how === "minted" ? "minted" : "file" };
}

function python(given) {
  const how = way(given);
  const head = { plain: ["import rasterio"], minted: ["import json", "from urllib.request import Request, urlopen", "", "import rasterio"], bearer: ["import os", "", "import rasterio"] }[how];
  const options = ['GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"'];
  const before = [];
  let url = `"/vsicurl/${address(given)}"`;
  if (how === "bearer") {
    before.push(TOKEN_LINE);
    options.push("GDAL_HTTP_HEADERS=f\"Authorization: Bearer {os.environ['TOKEN']}\"");
  }
  if (how === "minted") {
    before.push(`mint = Request("${given.api}/auth/download-token/${given.file.id}", method="POST")`, 'token = json.load(urlopen(mint))["token"]');
    url = `f"/vsicurl/${address(given)}?token={token}"`;
  }
  return [...head, "", ...before, `with rasterio.Env(${options.join(", ")}), rasterio.open(${url}) as raster:`, "    print(raster.profile)", "    values = raster.read(1)"].join("\n");
}

function curl(given) {
  const picture = { title: "A picture, in this style", text: `curl -o ${given.name}.png "${styled(given, given.preview)}"`, kind: "style" };
  return [given.file && whole(given), picture].filter(Boolean);
}

function whole(given) {
  const how = way(given);
  const url = `${given.self}/download/cog`;
  const download = { plain: [`curl -OJ "${url}"`], minted: [minting(given), `curl -OJ "${url}?token=$T"`], bearer: [TOKEN_LINE, `curl -OJL -H "Authorization: Bearer $TOKEN" "${url}"`] }[how];
  return { title: "The file, under its own name", text: download.join("\n").replace("-OJ \"", "-OJL \""), kind: how === "minted" ? "minted" : "file" };
}
