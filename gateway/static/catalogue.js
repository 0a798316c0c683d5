// What the list is asked for: all collections and datasets, or one collection, narrowed by words, days and the map.

import { Refused, Unreachable } from "./api.js";
import { describeCollection } from "./collectionhead.js";
import { Collections } from "./collections.js";
import { announce, debounced, find, showState } from "./dom.js";
import { Filters } from "./filters.js";
import { plain } from "./format.js";
import { Listing } from "./listing.js";
import { nothing, refusedList, unknownCollection, wrongDays } from "./states.js";
import { Pages } from "./pages.js";

// So long the datasets wait for the collections above them, and where a link begins further down.
const PATIENCE_MS = 400;
const LONGEST_PATIENCE_MS = 2000;
const MOVING_MS = 400;
const later = (wait) => new Promise((resume) => setTimeout(resume, wait));

export class Catalogue extends EventTarget {
  #asking = null;
  #collection = null;
  #shownQuery = null;
  // Of the list of all, while one collection is shown: what led there.
  #outside = null;

  // Asks the API; `extent` returns what the map shows, once there is one.
  constructor(api, extent = null) {
    super();
    this.api = api;
    this.extent = extent;
    this.filters = new Filters();
    this.collections = new Collections(api);
    this.listing = new Listing(api, new Pages(api, {}));
    // For who listens later: the collection that is shown, and the key of what was chosen last.
    this.seen = null;
    this.chosen = null;
    this.moved = debounced(() => this.filters.state.near && !find("catalogue").hidden && this.load(0), MOVING_MS);
    this.filters.addEventListener("change", () => this.load(0));
    this.listing.addEventListener("choose", ({ detail }) => { this.chosen = detail; this.#send("choose", detail); });
    this.listing.addEventListener("turned", () => this.#tell());
    find("leave").addEventListener("click", () => this.#send("leave"));
  }

  // What is asked for, as a link keeps it.
  get state() { return { collection: this.#collection, row: this.listing.row, ...this.filters.state }; }

  // What the list is of, as lists of files take it, and how many datasets that are.
  get listed() {
    const { sortby, ...datasets } = this.#query();
    return { datasets, total: this.listing.pages.total };
  }

  // Whether what the controls say is what is shown.
  get isCurrent() { return this.#shownQuery === this.#key(); }

  // Sets the controls; returns whether what they say now is what is shown.
  restore({ collection, row, ...filters }) {
    this.filters.restore(filters);
    this.#go(collection);
    if (!this.isCurrent) this.listing.row = row;
    return this.isCurrent;
  }

  // Goes into a collection, or with null out of it: to where the visitor was.
  enter(id) {
    if (id) this.#outside = this.state;
    const { q = "", row = 0 } = (!id && this.#outside) || {};
    this.filters.restore({ ...this.filters.state, q, near: false });
    this.#go(id);
    return this.load(row, { anew: !id });
  }

  // Shows what the controls say from a row on; `anew` also asks for the collections once more.
  async load(row = this.listing.row, { anew = false } = {}) {
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    const pages = new Pages(this.api, this.#query());
    asking.signal.addEventListener("abort", () => pages.drop());
    if (this.filters.wrong) return this.#refuse();
    this.#wait(true);
    try {
      await this.#open(pages, row, anew, asking.signal);
    } catch (error) {
      if (!asking.signal.aborted) this.#fail(error);
    } finally {
      if (this.#asking === asking) this.#wait(false);
    }
  }

  // Another visitor: what the last one saw is taken away at once, and the list begins where it was.
  change() {
    const { row } = this.listing;
    this.collections.forget();
    this.#forget();
    return this.load(row);
  }

  // Gives the focus to the row of a dataset or collection, or where there is none to what is above.
  focus(key) {
    if (key && this.listing.focus(key)) return;
    find(this.#collection ? "collection-title" : "q").focus({ preventScroll: true });
  }

  async #open(pages, row, anew, signal) {
    const query = this.#key();
    const above = this.#collection ? this.#head(this.#collection, signal) : this.#sort(anew);
    let failure = null;
    // What fails after the datasets have come is told then.
    above.catch((error) => { failure = error; if (!signal.aborted && this.#shownQuery === query) this.#fail(error); });
    // How many rows the collections take has to be known before that of a dataset is.
    if (row && !this.#collection) await Promise.race([above, later(LONGEST_PATIENCE_MS)]);
    await Promise.all([pages.open(Math.max(0, row - this.#matching().length)), Promise.race([above, later(PATIENCE_MS)])]);
    if (signal.aborted) return;
    if (failure) throw failure;
    this.#shownQuery = query;
    this.#show(pages, row);
  }

  #go(collection) {
    if (collection === this.#collection) return;
    this.#collection = collection;
    find("collection").hidden = !collection;
    find("list-title").classList.toggle("hidden", Boolean(collection));
    this.#forget();
  }

  #name(label) { find("q").placeholder = find("q-label").textContent = label; }

  #key() { return JSON.stringify([this.#query(), this.api.session.visit]); }

  #query() {
    const query = this.filters.query;
    if (this.#collection) query.collection = this.#collection;
    if (this.filters.state.near && this.extent) query.bbox = this.extent().join(",");
    return query;
  }

  #matching() {
    const { q, from, to, near } = this.filters.state;
    return this.#collection ? [] : this.collections.matching({ q, from, to, box: near && this.extent ? this.extent() : null });
  }

  // The collections of the list, now or when they come.
  async #sort(anew) {
    await this.collections.load(anew);
    if (!this.isCurrent) return;
    this.listing.precede(this.#matching());
    this.#tell();
  }

  async #head(id, signal) {
    const seen = this.seen?.id === id ? this.seen : await this.collections.one(id, signal);
    if (signal.aborted) return;
    this.seen = seen;
    describeCollection(seen);
    // Who is told of the list may have been told without.
    if (this.isCurrent) this.#tell();
    this.#name(`Search in ${plain(seen.title) || seen.id}`);
  }

  #show(pages, row) {
    showState(find("list-state"), {});
    this.listing.show(this.#matching(), pages, row);
    if (!this.listing.told) showState(find("list-state"), nothing(this.#circumstances, this.#ways));
    announce(this.listing.told || "Nothing is found.");
    this.#tell(true);
  }

  // Says what is found, and to who listens: `fresh` when it is another list.
  #tell(fresh = false) {
    find("count").textContent = this.listing.told;
    find("take-all").hidden = !this.listing.pages.total;
    this.#send("shown", { fresh });
  }

  #send(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  get #circumstances() { return { narrowed: this.filters.narrowed, anonymous: !this.api.session.bearer }; }

  // What the buttons do that stand in an empty list.
  get #ways() {
    const anew = (clear, next) => () => { clear(); find(next).focus(); this.load(0); };
    return {
      clear: anew(() => this.filters.clear(), "q"),
      clearDays: anew(() => this.filters.clearDays(), "since"),
      signIn: () => this.#send("signin"),
    };
  }

  #refuse() {
    this.#empty();
    this.#wait(false);
    showState(find("list-state"), wrongDays(this.filters.wrong, this.#ways.clearDays));
    announce(this.filters.wrong);
  }

  // Of a server that has gone the banner tells, and what was listed stays.
  #fail(error) {
    if (error instanceof Unreachable) return showState(find("list-state"), {});
    if (!(error instanceof Refused)) throw error;
    this.#empty();
    const unknown = error.status === 404 && this.#collection;
    showState(find("list-state"), unknown ? unknownCollection(this.#circumstances, this.#ways) : refusedList(error, () => this.load()));
  }

  #empty() {
    this.#shownQuery = null;
    this.listing.empty(new Pages(this.api, {}));
    this.#tell();
  }

  #forget() {
    this.seen = null;
    describeCollection(null);
    this.#name(this.#collection ? "Search in this collection" : "Search collections and datasets");
    this.#empty();
  }

  #wait(busy) {
    find("found").setAttribute("aria-busy", String(busy));
    if (busy && find("found").hidden) showState(find("list-state"), { title: "Loading the list …", busy: true });
  }
}
