// The view as the part of the URL after #: the list's page and search, or dataset, place and style. Never a token.

const LIST = { page: 1, q: "", sort: "title", near: false };
// What is no id names no dataset, and never another address of the API.
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const STRETCHES = ["full", "percent", "minmax", "sigma"];

export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (name) => (given.get(name) ?? "").split(",").filter((part) => part.trim()).map(Number);
  const [zoom, lon, lat] = numbers("at");
  const bands = numbers("bands").filter((band) => Number.isInteger(band) && band > 0);
  const range = numbers("range");
  const opacity = given.has("opacity") ? Number(given.get("opacity")) : 1;
  const page = Number(given.get("page"));
  return {
    dataset: given.get("dataset") && (ID.test(given.get("dataset")) ? given.get("dataset") : "none"),
    how: given.get("how") === "direct" ? "direct" : "tiles",
    at: [zoom, lon, lat].every(Number.isFinite) ? { zoom, lon, lat } : null,
    list: { page: Number.isInteger(page) && page > 0 ? page : 1, q: given.get("q") ?? "", sort: given.get("sort") ?? LIST.sort, near: given.get("near") === "1" },
    style: {
      bands: [1, 3].includes(bands.length) ? bands : null,
      range: range.length === 2 && range.every(Number.isFinite) && range[0] < range[1] ? range : null,
      stretch: STRETCHES.includes(given.get("stretch")) ? given.get("stretch") : null,
      colors: /^\w{1,64}$/.test(given.get("colors") ?? "") ? given.get("colors") : null,
      opacity: opacity >= 0 && opacity <= 1 ? opacity : 1,
    },
  };
}

export function written({ dataset, how, at, style }) {
  return joined({
    dataset,
    how: how === "direct" ? how : null,
    at: at && [at.zoom.toFixed(2), at.lon.toFixed(5), at.lat.toFixed(5)].join(","),
    bands: style?.bands?.join(","),
    range: style?.range?.join(","),
    stretch: style?.stretch,
    colors: style?.colors,
    opacity: style && style.opacity < 1 ? style.opacity : null,
  });
}

export function writtenList({ page, q, sort, near }) {
  return joined({ page: page > 1 ? page : null, q: q ? encodeURIComponent(q) : null, sort: sort === LIST.sort ? null : sort, near: near ? 1 : null });
}

function joined(parts) {
  const kept = Object.entries(parts).filter(([, value]) => value != null);
  return kept.length ? `#${kept.map(([name, value]) => `${name}=${value}`).join("&")}` : "";
}
