// The view as the part of the URL after #: dataset, place, style. No token ever stands there.

const NAMES = ["dataset", "tab", "at", "bands", "range", "colors", "opacity"];

export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (name) => (given.get(name) ?? "").split(",").filter((part) => part.trim()).map(Number);
  const [zoom, lon, lat] = numbers("at");
  const bands = numbers("bands").filter((band) => Number.isInteger(band) && band > 0);
  const range = numbers("range");
  const opacity = given.has("opacity") ? Number(given.get("opacity")) : 1;
  return {
    dataset: given.get("dataset"),
    tab: given.get("tab") === "direct" ? "direct" : "tiles",
    at: [zoom, lon, lat].every(Number.isFinite) ? { zoom, lon, lat } : null,
    style: {
      bands: [1, 3].includes(bands.length) ? bands : null,
      range: range.length === 2 && range.every(Number.isFinite) && range[0] < range[1] ? range : null,
      colors: /^\w{1,64}$/.test(given.get("colors") ?? "") ? given.get("colors") : null,
      opacity: opacity >= 0 && opacity <= 1 ? opacity : 1,
    },
  };
}

export function written({ dataset, tab, at, style }) {
  if (!dataset) return "";
  const parts = {
    dataset,
    tab: tab === "direct" ? tab : null,
    at: at && [at.zoom.toFixed(2), at.lon.toFixed(5), at.lat.toFixed(5)].join(","),
    bands: style?.bands?.join(","),
    range: style?.range?.join(","),
    colors: style?.colors,
    opacity: style && style.opacity < 1 ? style.opacity : null,
  };
  const kept = NAMES.filter((name) => parts[name] != null).map((name) => `${name}=${parts[name]}`);
  return `#${kept.join("&")}`;
}
