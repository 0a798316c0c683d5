// Numbers and names as people read them.

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];
const METRES_OF_A_DEGREE = 111_320;

export function bytes(count) {
  let step = 0;
  let value = count;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${value.toLocaleString("en", { maximumSignificantDigits: step ? 3 : 15 })} ${UNITS[step]}`;
}

export const whole = (count) => count.toLocaleString("en");

export function number(value) {
  if (value == null) return "no data";
  return value.toLocaleString("en", { maximumSignificantDigits: 7, useGrouping: Math.abs(value) >= 10000 });
}

const degrees = (value, plus, minus, digits) => `${Math.abs(value).toFixed(digits)}° ${value < 0 ? minus : plus}`;

export const place = (lon, lat) => `${degrees(lat, "N", "S", 4)}, ${degrees(lon, "E", "W", 4)}`;

// "36.151–36.454° N, 84.424–84.067° W"; each end has its letter where they differ.
export function extent([west, south, east, north]) {
  const span = (low, high, plus, minus) =>
    low < 0 === high < 0
      ? `${Math.abs(low).toFixed(3)}–${Math.abs(high).toFixed(3)}° ${low < 0 ? minus : plus}`
      : `${degrees(low, plus, minus, 3)} – ${degrees(high, plus, minus, 3)}`;
  return `${span(south, north, "N", "S")}, ${span(west, east, "E", "W")}`;
}

export const day = (text) => new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

const SPAN = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeZone: "UTC" });

// The days of a time span, as UTC has them: "Feb 11 – 22, 2000"; null without any.
export function days(start, end) {
  if (!start || !end) return null;
  return SPAN.formatRange(new Date(start), new Date(end)).replace(/\s/gu, " ");
}

export const clock = (moment) => new Date(moment).toLocaleTimeString("en", { timeStyle: "short" });

// Metres, or kilometres, of one pixel.
const length = (metres) => (metres >= 2000 ? `${number(Number((metres / 1000).toPrecision(2)))} km` : `${number(Number(metres.toPrecision(metres < 1 ? 1 : 2)))} m`);

// The size of a pixel on the ground, from what every record has; null without a place.
export function about({ bounds, width, height, crs, transform }) {
  if (!bounds || !height) return null;
  const [west, south, east, north] = bounds;
  // The box of a rotated raster is larger than so many pixels.
  const [a, b, , d, e] = transform ?? [1, 0, 0, 0, 1];
  const wide = Math.hypot(a, d) / (Math.abs(a) * width + Math.abs(b) * height);
  const high = Math.hypot(b, e) / (Math.abs(d) * width + Math.abs(e) * height);
  // The metres of Web Mercator are those of the equator, as its dataset's head has them.
  const degrees = crs === "EPSG:3857" ? (east - west + (west > east ? 360 : 0)) * wide : (north - south) * high;
  return `≈ ${length(degrees * METRES_OF_A_DEGREE)}`;
}

// The same from the raster's own CRS, or null.
export function resolution({ transform }, info) {
  if (!info?.bounds || !info.width) return null;
  const size = transform ? Math.hypot(transform[0], transform[3]) : (info.bounds[2] - info.bounds[0]) / info.width;
  if (!Number.isFinite(size) || size <= 0) return null;
  const unit = /\+units=(\S+)/.exec(info.crs_proj ?? "")?.[1] ?? (/\+proj=longlat/.test(info.crs_proj ?? "") ? "°" : "");
  if (unit === "m") return size >= 2000 ? length(size) : `${number(Number(size.toPrecision(4)))} m`;
  return unit ? `${number(Number(size.toPrecision(4)))}${unit === "°" ? "" : " "}${unit}` : null;
}

export const WHO = {
  public: "everybody",
  internal: "everybody who is signed in",
  private: "owner and granted users",
};

// What turns the direction of the text after it, or cannot be seen, is shown as what it is: a title may be any file's name.
const HIDDEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
const SEEN = /[^\p{C}\p{Z}]/u;

export const plain = (text) => text.replace(HIDDEN, "\ufffd");

// A title may be a path below its root: the folder tells equal names apart.
export function named({ title }) {
  const parts = plain(title).split("/").filter(Boolean);
  const name = parts.at(-1) ?? "";
  return { name: SEEN.test(name) ? name : "Untitled", folder: parts.slice(0, -1).join("/") };
}
