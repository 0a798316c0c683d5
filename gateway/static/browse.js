// List and map together: outlines of what is listed, which light up with their rows, and what the map looks at.

import { onMap } from "./footprints.js";
import { named, plain } from "./format.js";

// A dataset has its own surroundings; of a collection they are inside of it.
const NEAREST_ZOOM = { all: 5, collection: 12 };

export class Browsing {
  #looked = null;

  // `isOpen` tells whether a dataset is shown in the list's place.
  constructor(catalogue, map, footprints, isOpen) {
    Object.assign(this, { catalogue, map, footprints, isOpen });
    catalogue.extent = () => map.extent;
    catalogue.listing.addEventListener("hover", ({ detail }) => footprints.light(detail));
    footprints.addEventListener("hover", ({ detail }) => catalogue.listing.light(detail));
  }

  // Shows on the map what the list shows; of a `fresh` list where it lies.
  outline(fresh) {
    const { listing: { collections, pages }, seen } = this.catalogue;
    // Of datasets those whose rows are in sight, or near.
    const datasets = pages.shown.filter(({ bounds }) => bounds);
    this.footprints.show({
      datasets: datasets.map(({ id, title, bounds }) => ({ key: `dataset:${id}`, title: named({ title }).name, bounds })),
      collections: collections.filter(({ bbox }) => bbox).map(({ id, title, bbox }) => ({ key: `collection:${id}`, title: plain(title), bounds: bbox })),
      frame: seen?.bbox ?? null,
    });
    if (fresh && !this.isOpen()) this.look();
  }

  // Where the map does not choose the list, the list chooses the map.
  look() {
    const { seen, state, listing: { pages }, filters } = this.catalogue;
    this.settle();
    if (state.near) return;
    // What was searched for is nearer than its collection, where all of it has come.
    const whole = pages.total > 0 && pages.shown.length === pages.total;
    const extent = seen?.bbox && !(filters.narrowed && whole) ? onMap(seen.bbox) : this.footprints.extent();
    const nearest = state.collection ? NEAREST_ZOOM.collection : NEAREST_ZOOM.all;
    // The extent of the only collection is that of the list as well, and is looked at from nearer.
    const looked = extent && [...extent, nearest].join();
    if (!extent || looked === this.#looked) return;
    this.#looked = looked;
    this.map.around(extent, nearest);
  }

  // Of a list the map's home is the collection that is shown.
  settle() { this.map.home = this.catalogue.seen?.bbox ?? null; }
}
