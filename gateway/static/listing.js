// What the list has in the document: rows of collections, then of datasets; which is lit, and where the visitor is in it.

import { debounced, find } from "./dom.js";
import { Pictures, collectionItem, counted, datasetItem, missedItem } from "./items.js";
import { Rows, leadThrough } from "./rows.js";

export class Listing extends EventTarget {
  #lit = null;
  #scrolled = 0;
  #row = 0;
  collections = [];

  // `pages` has no dataset yet.
  constructor(api, pages) {
    super();
    this.pages = pages;
    const panel = this.panel = find("panel");
    const covered = () => (getComputedStyle(find("narrow")).position === "sticky" ? find("narrow").offsetHeight : 0);
    this.pictures = new Pictures(api, panel);
    this.above = new Rows(panel, find("collections"), { covered, draw: (row) => this.#lighted(collectionItem(this.collections[row])) });
    this.rows = new Rows(panel, find("list"), { covered, draw: (row) => this.#dataset(row), drop: (item) => this.pictures.drop(item) });
    this.#listen();
  }

  // The first row in sight, those of collections counted too.
  get row() {
    if (this.#isShown && this.above.count + this.rows.count) this.#row = this.rows.begun || !this.above.count ? this.above.count + this.rows.first : this.above.first;
    return this.#row;
  }

  // Where a list that has not come yet is to begin.
  set row(row) { this.#row = row; }

  // How much there is, in words.
  get told() {
    const told = [[this.collections.length, "collection"], [this.pages.total, "dataset"]].filter(([count]) => count);
    return told.map(([count, name]) => counted(count, name)).join(" · ");
  }

  // Shows another list from a row on.
  show(collections, pages, row) {
    this.pages = pages;
    pages.addEventListener("came", () => pages === this.pages && this.#fill());
    pages.addEventListener("turned", () => pages === this.pages && this.#tell());
    find("found").hidden = false;
    find("datasets").hidden = !pages.total;
    find("more").hidden = pages.total === pages.rows;
    this.#begin(collections);
    this.rows.reset(pages.rows);
    if (!this.#isShown) return;
    if (!row) this.panel.scrollTop = 0;
    else if (row < this.above.count) this.above.show(row);
    else this.rows.show(row - this.above.count);
    this.#scrolled = this.panel.scrollTop;
  }

  // Shows collections that come later than the datasets, which stay where they are.
  precede(collections) {
    const before = find("list").offsetTop;
    const { begun } = this.rows;
    this.#begin(collections);
    if (begun) this.panel.scrollTop += find("list").offsetTop - before;
  }

  empty(pages) {
    this.pages = pages;
    this.#begin([]);
    this.rows.reset(0);
    find("found").hidden = true;
  }

  // Back where the list was left.
  resume() {
    if (!this.#isShown) return;
    this.panel.scrollTop = this.#scrolled;
    for (const each of [this.above, this.rows]) each.update();
  }

  // Lights up the row of an outline that the visitor points at.
  light(key) {
    this.#lit = key;
    for (const each of [this.above, this.rows]) each.each((item) => item.classList.toggle("lit", item.dataset.key === key));
  }

  // Returns whether there is such a row, which has the focus then.
  focus(key) {
    const [kind, id] = key.split(":");
    const [list, row] = kind === "collection" ? [this.above, this.collections.findIndex((each) => each.id === id)] : [this.rows, this.pages.find(id)];
    if (row >= 0) list.focus(row);
    return row >= 0;
  }

  get #isShown() { return !find("catalogue").hidden && document.body.dataset.sheet !== "peek"; }

  #listen() {
    const told = debounced(() => this.dispatchEvent(new Event("scrolled")), 250);
    this.panel.addEventListener("scroll", () => { if (this.#isShown) { this.#scrolled = this.panel.scrollTop; told(); } }, { passive: true });
    this.rows.addEventListener("seen", ({ detail: { from, to } }) => this.pages.want(from, to));
    leadThrough(find("q"), [this.above, this.rows]);
    const keyOf = ({ target }) => target.closest(".item")?.dataset.key ?? null;
    const found = find("found");
    found.addEventListener("click", ({ target }) => this.#click(target.closest(".item")));
    found.addEventListener("pointerover", (event) => this.#hover(keyOf(event)));
    found.addEventListener("pointerleave", () => this.#hover(null));
    found.addEventListener("focusin", (event) => this.#hover(keyOf(event)));
    found.addEventListener("focusout", () => this.#hover(null));
  }

  #click(item) {
    if (item?.dataset.again) this.pages.again(Number(item.dataset.again));
    if (item?.dataset.key) this.dispatchEvent(new CustomEvent("choose", { detail: item.dataset.key }));
  }

  #hover(key) {
    this.light(key);
    this.dispatchEvent(new CustomEvent("hover", { detail: key }));
  }

  #tell() { this.dispatchEvent(new Event("turned")); }

  #begin(collections) {
    this.collections = collections;
    find("sets").hidden = !collections.length;
    this.above.reset(collections.length);
  }

  #fill() {
    this.rows.count = this.pages.rows;
    this.rows.fill();
    this.#tell();
  }

  #dataset(row) {
    const record = this.pages.at(row);
    if (!record) return this.pages.hasFailed(row) ? missedItem(row) : null;
    const item = this.#lighted(datasetItem(record));
    this.pictures.add(item, record);
    return item;
  }

  #lighted(item) {
    item.classList.toggle("lit", item.dataset.key === this.#lit);
    return item;
  }
}
