// Swagger UI over the description that lies beside this page, made readable: one row for each thing that can be
// done, filled in with a dataset that is there. Tokens stay in memory: nothing is kept.

const { SwaggerUIBundle } = globalThis;
const dark = matchMedia("(prefers-color-scheme: dark)");

// HEAD is GET without a body, and shorter spellings of a path are the same resource: both are told, not listed.
function folded(description) {
  const paths = {};
  const shorter = {};
  for (const [path, { head, ...item }] of Object.entries(description.paths)) {
    const whole = item["x-spelling-of"];
    if (whole) (shorter[whole] ??= []).push(path);
    else paths[path] = item;
  }
  for (const [path, others] of Object.entries(shorter)) {
    for (const verb of Object.keys(paths[path]).filter((each) => paths[path][each].description)) {
      paths[path][verb].description += `\n\nAlso without parts of it: ${others.map((each) => `\`${each}\``).join(", ")}.`;
    }
  }
  return { ...description, paths };
}

// A public dataset, or null: what it has stands in the fields of every row.
async function sample() {
  const { datasets } = await (await fetch("datasets?limit=20")).json();
  return datasets.find(({ bounds }) => bounds) ?? null;
}

function examples({ id, bounds: [west, south, east, north] }) {
  const [lon, lat] = [(west + east) / 2, (south + north) / 2];
  const zoom = Math.max(0, Math.floor(Math.log2(360 / Math.max(1e-6, east - west))));
  const bent = Math.asinh(Math.tan((Math.max(-85, Math.min(85, lat)) * Math.PI) / 180));
  const tile = { z: zoom, x: Math.floor(((lon + 180) / 360) * 2 ** zoom), y: Math.floor(((1 - bent / Math.PI) / 2) * 2 ** zoom) };
  return { id, ...tile, lon, lat, minx: west, miny: south, maxx: east, maxy: north, tms: "WebMercatorQuad", map: "viridis", scale: 1, format: "png", width: 400, height: 300, name: "raster", example: "leaflet.html", asset: "icon.svg" };
}

function filled(description, values) {
  for (const { parameters } of Object.values(description.paths)) {
    for (const each of parameters ?? []) if (each.name in values) each.example = values[each.name];
  }
}

async function begin() {
  const description = folded(await (await fetch("openapi.json")).json());
  const found = await sample().catch(() => null);
  filled(description, examples(found ?? { id: "", bounds: [-180, -85, 180, 85] }));
  const told = document.getElementById("told");
  told.hidden = false;
  told.textContent = found ? `Examples are filled in for “${found.title}”. For what is not public, press Authorize and give an access token.` : "There is no public dataset to try: press Authorize and give an access token.";
  SwaggerUIBundle({
    spec: description,
    dom_id: "#api",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    persistAuthorization: false,
    // For other origins than this page's the policy would stop it anyway.
    validatorUrl: null,
    showExtensions: false,
  });
}

function paint() { document.documentElement.classList.toggle("dark-mode", dark.matches); }

dark.addEventListener("change", paint);
paint();
begin();
