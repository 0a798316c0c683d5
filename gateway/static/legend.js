// What the colours mean: the ramp between its two values, over the map.

import { make } from "./dom.js";
import { number } from "./format.js";

// `ramp` is {url, low, high, label}, or null where colours are those of a photograph or of the file itself.
export function drawLegend(box, ramp) {
  box.hidden = !ramp;
  if (!ramp) return box.replaceChildren();
  const { url, low, high, label } = ramp;
  box.replaceChildren(
    make("figcaption", { class: "legend-title" }, label),
    make("img", { src: url, alt: `Colours from ${number(low)} to ${number(high)}`, width: 212, height: 10 }),
    make("p", { class: "legend-values" }, make("span", {}, number(low)), make("span", {}, number(high))),
  );
}
