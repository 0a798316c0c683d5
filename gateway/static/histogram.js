// The distribution of the values as bars, one row of them for each band shown.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 256;
const HEIGHT = 64;

// `bands` are those of /statistics; `range` is the part that the colours cover.
export function drawHistogram(box, bands, [low, high], range) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": told(bands, range) });
  const at = (value) => (high > low ? ((value - low) / (high - low)) * WIDTH : 0);
  svg.append(shape("rect", { class: "covered", x: at(range[0]), y: 0, width: Math.max(0, at(range[1]) - at(range[0])), height: HEIGHT }));
  bands.forEach((band, index) => svg.append(shape("path", { class: `bars bars-${bands.length > 1 ? index + 1 : 0}`, d: outline(band.histogram, at) })));
  box.replaceChildren(svg);
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

function shape(tag, attributes) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
