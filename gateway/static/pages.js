// The datasets of one query, page by page: those near what is shown are kept, and what is not wanted any more is not waited for.

import { Refused, Unreachable } from "./api.js";
import { debounced } from "./dom.js";

const PAGE = 50;
const KEPT_PAGES = 12;
// A browser's boxes end somewhere.
const MOST_ROWS = 200_000;
// Whoever scrolls on does not want what is between.
const REST_MS = 80;

export class Pages extends EventTarget {
  #kept = new Map();
  #asking = new Map();
  #failed = new Set();
  #wanted = [0, 0];
  #later = debounced(() => this.#ask(), REST_MS);
  total = 0;

  constructor(api, query) {
    super();
    this.api = api;
    this.query = query;
  }

  // How many of them a list can have.
  get rows() { return Math.min(this.total, MOST_ROWS); }

  // Asks for the page of a row, or where the list is shorter by now for the last one; throws as the API does.
  async open(row = 0) {
    await this.#load(Math.floor(row / PAGE));
    if (row >= this.total && this.total && row >= PAGE) await this.#load(Math.floor((this.total - 1) / PAGE));
  }

  // A dataset by its row, or nothing.
  at(row) { return this.#kept.get(Math.floor(row / PAGE))?.[row % PAGE]; }

  hasFailed(row) { return this.#failed.has(Math.floor(row / PAGE)); }

  // The row of a dataset that has come, or -1.
  find(id) {
    for (const [number, page] of this.#kept) {
      const at = page.findIndex((each) => each.id === id);
      if (at >= 0) return number * PAGE + at;
    }
    return -1;
  }

  // What has come of the pages that are shown.
  get shown() { return this.#numbers().flatMap((number) => this.#kept.get(number) ?? []); }

  // Asks for what is missing of these rows; "came" tells of it.
  want(from, to) {
    const before = this.#numbers();
    this.#wanted = [from, to];
    const now = this.#numbers();
    if (now.some((number) => !this.#known(number))) this.#later();
    if (now.join() !== before.join()) this.dispatchEvent(new Event("turned"));
  }

  again(row) {
    this.#failed.delete(Math.floor(row / PAGE));
    this.dispatchEvent(new Event("came"));
    this.#ask();
  }

  drop() { for (const asking of this.#asking.values()) asking.abort(); }

  #known(number) { return this.#kept.has(number) || this.#failed.has(number); }

  #numbers() {
    const [from, to] = this.#wanted;
    const numbers = [];
    for (let number = Math.floor(from / PAGE); number * PAGE < Math.min(to, this.total); number += 1) numbers.push(number);
    return numbers;
  }

  #ask() {
    const numbers = this.#numbers();
    for (const [number, asking] of this.#asking) if (!numbers.includes(number)) asking.abort();
    for (const number of numbers.filter((each) => !this.#known(each) && !this.#asking.has(each))) this.#fetch(number);
  }

  async #fetch(number) {
    try {
      await this.#load(number);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
      this.#failed.add(number);
    }
    this.dispatchEvent(new Event("came"));
  }

  async #load(number) {
    const asking = new AbortController();
    this.#asking.set(number, asking);
    try {
      const { datasets, total } = await this.api.json("/datasets", { query: { limit: PAGE, offset: number * PAGE, ...this.query }, signal: asking.signal });
      this.total = total;
      this.#keep(number, datasets);
    } finally {
      if (this.#asking.get(number) === asking) this.#asking.delete(number);
    }
  }

  #keep(number, datasets) {
    this.#kept.set(number, datasets);
    const shown = this.#numbers();
    for (const old of [...this.#kept.keys()]) {
      if (this.#kept.size <= KEPT_PAGES) break;
      if (old !== number && !shown.includes(old)) this.#kept.delete(old);
    }
  }
}
