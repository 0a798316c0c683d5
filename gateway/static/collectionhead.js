// The head of a collection above its list: its name, how much there is of it and from when, and what it is.

import { find, make } from "./dom.js";
import { days, plain } from "./format.js";
import { counted } from "./items.js";

// What the window is called while the list is shown.
export const titleOf = (seen) => (seen ? `${plain(seen.title) || seen.id} · COG Gateway` : "COG Gateway");

// Shows a collection as this visitor sees it; nothing of one that has not come.
export function describeCollection(seen) {
  const license = seen && seen.license !== "other" ? seen.license : "";
  const facts = seen ? [counted(seen.count, "dataset"), days(seen.start, seen.end), license] : [];
  find("collection-title").textContent = seen ? plain(seen.title) || seen.id : "";
  const parts = facts.filter(Boolean).map((fact, index, all) => make("span", {}, index < all.length - 1 ? `${fact} ·` : fact));
  find("collection-facts").replaceChildren(...parts.flatMap((part) => [part, " "]));
  find("collection-text").textContent = seen ? plain(seen.text) : "";
  find("layer-links").hidden = !seen?.shareable;
  if (!find("catalogue").hidden) document.title = titleOf(seen);
}
