// The ramps of colours: which is usual for what, which are offered first, and their pictures.

export const OFFERED = ["gray", "viridis", "magma", "gist_earth", "rdylgn", "spectral_r"];
const TITLES = { gray: "Grey", viridis: "Viridis", magma: "Magma", gist_earth: "Terrain", rdylgn: "Red to green", spectral_r: "Spectral" };
const HEIGHTS = /(^|[^a-z])(elevations?|heights?|altitudes?|dem|dtm|dsm|srtm|terrain|bathymetry|topography|relief)([^a-z]|$)/i;

export const rampTitle = (name) => TITLES[name] ?? name;

// The ramp of one band that nobody chose: a byte is mostly a picture, heights look like land, and the rest is viridis.
export function usualRamp({ dtype, title }, description = "") {
  if (dtype === "uint8") return "gray";
  return HEIGHTS.test(`${title} ${description}`) ? "gist_earth" : "viridis";
}

export const rampPicture = (api, name, width = 256, height = 12) => api.url(`/colorMaps/${name}`, { f: "png", width, height });
