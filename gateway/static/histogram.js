// The distribution of the values as bars: those inside the range in the colours that they have on the map.

import { shape } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 256;
const HEIGHT = 80;
const STRIP = 8;

// `bands` are those of /statistics; `range` is the part that the colours cover; `ramp` is a picture's URL, or null.
export function drawHistogram(box, bands, [low, high], range, ramp) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + STRIP + 4}`, preserveAspectRatio: "none", role: "img", "aria-label": told(bands, range) });
  const at = (value) => (high > low ? ((value - low) / (high - low)) * WIDTH : 0);
  if (ramp) painted(svg, outline(bands[0].histogram, at), at(range[0]), at(range[1]), ramp);
  else bands.forEach((band, index) => svg.append(shape("path", { class: `bars-${index + 1}`, d: outline(band.histogram, at) })));
  box.replaceChildren(svg);
}

function painted(svg, d, from, to, ramp) {
  const picture = (y, height, more) => shape("image", { href: ramp, x: from, y, width: Math.max(0.1, to - from), height, preserveAspectRatio: "none", ...more });
  svg.append(
    shape("clipPath", { id: "bars" }, shape("path", { d })),
    shape("path", { class: "out", d }),
    picture(0, HEIGHT, { "clip-path": "url(#bars)" }),
    shape("rect", { class: "out", x: 0, y: HEIGHT + 4, width: WIDTH, height: STRIP }),
    picture(HEIGHT + 4, STRIP, {}),
  );
}

// The number of values in the bin at a part of the width, from 0 to 1, as a sentence; empty outside of all bins.
export function toldAt(bands, [low, high], part) {
  const value = low + part * (high - low);
  const [counts, edges] = bands[0].histogram;
  const bin = edges.findLastIndex((edge) => edge <= value);
  if (bin < 0 || bin >= counts.length) return number(Number(value.toPrecision(4)));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const share = bands.length > 1 || !all ? "" : ` · ${((counts[bin] / all) * 100).toFixed(1)} %`;
  return `${number(Number(value.toPrecision(4)))}${share}`;
}

function outline([counts, edges], at) {
  // Roots, because a single frequent value would flatten all the others.
  const most = Math.sqrt(Math.max(1, ...counts));
  const steps = counts.map((count, bin) => {
    const top = HEIGHT - (Math.sqrt(count) / most) * (HEIGHT - 2);
    return `V${top.toFixed(1)}H${at(edges[bin + 1]).toFixed(1)}`;
  });
  return `M${at(edges[0]).toFixed(1)},${HEIGHT}${steps.join("")}V${HEIGHT}Z`;
}

function told(bands, range) {
  const parts = bands.map((band) => `${band.description || "band"}: from ${band.min} to ${band.max}, mean ${band.mean.toPrecision(4)}`);
  return `Histogram. ${parts.join("; ")}. Colours cover ${range[0]} to ${range[1]}.`;
}
