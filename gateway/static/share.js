// The view as the part of the URL after #: the list's collection, place and search, or dataset, place and style. No token but
// the link to share by which the page was opened: what is behind # is sent to nobody.

// The style that nobody chose.
export const PLAIN = { bands: null, range: null, stretch: null, colors: null, opacity: 1, selection: null };
const USUAL_SORT = "title";
// As the server has them (a letter or digit first), so that a link names no other address of the API.
const COLLECTION = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
// What is no id names no dataset, and never another address of the API.
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const LINK = /^cgl_[A-Za-z0-9_-]{43}$/;
const STRETCHES = ["full", "percent", "minmax", "sigma"];
const SELECTIONS = ["highest", "lowest", "mean", "median", "stdev", "lastbandlow", "lastbandhigh", "count"];

export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (name) => (given.get(name) ?? "").split(",").filter((part) => part.trim()).map(Number);
  const [zoom, lon, lat] = numbers("at");
  const bands = numbers("bands").filter((band) => Number.isInteger(band) && band > 0);
  const range = numbers("range");
  const opacity = given.has("opacity") ? Number(given.get("opacity")) : 1;
  const row = Number(given.get("row"));
  const day = (name) => (DAY.test(given.get(name) ?? "") ? given.get(name) : "");
  return {
    dataset: given.get("dataset") && (ID.test(given.get("dataset")) ? given.get("dataset") : "none"),
    download: given.get("download") === "1",
    how: given.get("how") === "direct" ? "direct" : "tiles",
    link: LINK.test(given.get("link") ?? "") ? given.get("link") : null,
    at: [zoom, lon, lat].every(Number.isFinite) ? { zoom, lon, lat } : null,
    list: {
      collection: given.get("collection") && (COLLECTION.test(given.get("collection")) ? given.get("collection") : "-"),
      row: Number.isInteger(row) && row > 1 ? row - 1 : 0,
      q: given.get("q") ?? "",
      from: day("from"),
      to: day("to"),
      sort: given.get("sort") ?? USUAL_SORT,
      near: given.get("near") === "1",
      layer: given.get("layer") !== "0",
      day: day("day") || null,
    },
    style: {
      bands: [1, 3].includes(bands.length) ? bands : null,
      range: range.length === 2 && range.every(Number.isFinite) && range[0] < range[1] ? range : null,
      stretch: STRETCHES.includes(given.get("stretch")) ? given.get("stretch") : null,
      colors: /^\w{1,64}$/.test(given.get("colors") ?? "") ? given.get("colors") : null,
      opacity: opacity >= 0 && opacity <= 1 ? opacity : 1,
      selection: SELECTIONS.includes(given.get("pixels")) ? given.get("pixels") : null,
    },
  };
}

export function written({ dataset, download, how, at, style }) {
  return joined({ dataset, download: download ? 1 : null, how: how === "direct" ? how : null, at: at && placed(at), ...styled(style ?? PLAIN) });
}

const styled = ({ bands, range, stretch, colors, opacity, selection }) => ({
  bands: bands?.join(","),
  range: range?.join(","),
  stretch,
  colors,
  opacity: opacity < 1 ? opacity : null,
  pixels: selection,
});

// Of a list that the map chooses, the map's place is a part.
export function writtenList({ collection, row, q, from, to, sort, near, layer, day, style }, at) {
  return joined({
    collection,
    q: q ? encodeURIComponent(q) : null,
    from: from || null,
    to: to || null,
    sort: sort === USUAL_SORT ? null : sort,
    near: near ? 1 : null,
    at: near ? placed(at) : null,
    layer: layer ? null : 0,
    day,
    ...styled(collection ? style : PLAIN),
    row: row > 0 ? row + 1 : null,
  });
}

const placed = ({ zoom, lon, lat }) => [zoom.toFixed(2), lon.toFixed(5), lat.toFixed(5)].join(",");

let carried = null;

// Has every address carry a link to share from now on, or none.
export function carry(link) { carried = link; }

function joined(parts) {
  const kept = Object.entries({ ...parts, link: carried }).filter(([, value]) => value != null);
  return kept.length ? `#${kept.map(([name, value]) => `${name}=${value}`).join("&")}` : "";
}
