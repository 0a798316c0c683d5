// GDAL of the npm package gdal3.js, compiled to WebAssembly, in Node. Reads the same JSON as translate.py, with the
// folder of the package's `dist` as `library` and every source in one folder; tells the same lines.
"use strict";

const fs = require("fs");
const path = require("path");

function strings(gdal, words) {
  const pointers = words.map((word) => {
    const at = gdal._malloc(gdal.lengthBytesUTF8(word) + 1);
    gdal.stringToUTF8(word, at, gdal.lengthBytesUTF8(word) + 1);
    return at;
  });
  const array = gdal._malloc(4 * (words.length + 1));
  [...pointers, 0].forEach((pointer, number) => gdal.setValue(array + 4 * number, pointer, "*"));
  return array;
}

function translate(gdal, source, target, words) {
  gdal.ccall("CPLErrorReset", null, [], []);
  const options = gdal.ccall("GDALTranslateOptionsNew", "number", ["number", "number"], [
    strings(gdal, ["-of", "COG", ...words]), 0,
  ]);
  gdal.FS.writeFile("/source.tif", fs.readFileSync(source));
  const opened = gdal.ccall("GDALOpen", "number", ["string", "number"], ["/source.tif", 0]);
  const types = ["string", "number", "number", "number"];
  const made = gdal.ccall("GDALTranslate", "number", types, ["/target.tif", opened, options, 0]);
  const said = gdal.ccall("CPLGetLastErrorMsg", "string", [], []);
  if (made) gdal.ccall("GDALClose", null, ["number"], [made]);
  gdal.ccall("GDALClose", null, ["number"], [opened]);
  if (!made) return said || "?";
  fs.writeFileSync(target, gdal.FS.readFile("/target.tif"));
  gdal.FS.unlink("/target.tif");
  return null;
}

async function main() {
  const order = JSON.parse(fs.readFileSync(0, "utf8"));
  const module = path.join(order.library, "gdal3WebAssembly.js");
  // What the page or the worker would have.
  globalThis.location = { pathname: "/" };
  const factory = require(module);
  const log = () => undefined;
  const gdal = await new Promise((ready) => {
    const made = factory({
      locateFile: (name) => path.join(order.library, name), print: log, printErr: log,
      wasmBinary: fs.readFileSync(module.replace(/js$/, "wasm")),
      getPreloadedPackage: () => new Uint8Array(fs.readFileSync(module.replace(/js$/, "data"))).buffer,
      preRun: [(m) => Object.assign(m.ENV, { GDAL_DATA: "/usr/share/gdal", PROJ_LIB: "/usr/share/proj" })],
      // Its own "then" would keep the promise waiting for itself.
      onRuntimeInitialized: () => { delete made.then; ready(made); },
    });
  });
  gdal.ccall("GDALAllRegister", null, [], []);
  console.log(JSON.stringify(null));
  for (const [source, target, words] of order.files) {
    console.log(JSON.stringify(translate(gdal, source, target, words)));
  }
}

main().then(() => process.exit(0));
