// GeoTIFFs by the writers of the npm registry: geotiff (geotiff.js) and utif2 (UTIF.js). Takes SOURCES and TARGETS as
// every writer here, runs in a folder where both are installed, and prints their versions.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { writeArrayBuffer } = await import(require.resolve("geotiff"));
const UTIF = require("utif2");

const targets = process.argv[3];
const [width, height] = [96, 80];
const place = {
  ModelPixelScale: [30, 30, 0], ModelTiepoint: [0, 0, 0, 500000, 5300000, 0],
  GTModelTypeGeoKey: 1, GTRasterTypeGeoKey: 1, ProjectedCSTypeGeoKey: 32633,
};
const grey = Uint8Array.from({ length: width * height }, (_, at) => (at % width) + Math.floor(at / width));
const floats = Float32Array.from(grey, (value) => value / 8);

async function write(name, values, tags) {
  const buffer = await writeArrayBuffer(values, { width, height, ...place, ...tags });
  fs.writeFileSync(path.join(targets, `geotiff.js-${name}.tif`), Buffer.from(buffer));
}

await write("grey", grey, {});
await write("float32", floats, { SampleFormat: [3], BitsPerSample: [32] });
const rgba = Uint8Array.from({ length: 4 * width * height }, (_, at) => (at % 4 === 3 ? 255 : grey[at >> 2]));
fs.writeFileSync(path.join(targets, "utif-rgba.tif"), Buffer.from(UTIF.encodeImage(rgba, width, height)));
const version = (name) => JSON.parse(fs.readFileSync(path.join("node_modules", name, "package.json"))).version;
console.log(`${version("geotiff")} and ${version("utif2")}`);
