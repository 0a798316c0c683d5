// The controls above the list: words, days, order, and whether the map chooses.

import { debounced, find, icon } from "./dom.js";

const TYPING_MS = 150;
// Somebody who types a year passes others on the way.
const DAY_MS = 500;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export class Filters extends EventTarget {
  constructor() {
    super();
    const tell = () => this.dispatchEvent(new Event("change"));
    const typed = debounced(tell, TYPING_MS);
    const dated = debounced(tell, DAY_MS);
    find("search").addEventListener("submit", (event) => { event.preventDefault(); tell(); });
    find("q").addEventListener("input", typed);
    for (const end of ["since", "until"]) {
      // Half a day is none yet; who leaves it so is told.
      find(end).addEventListener("input", () => { this.#mark(); if (!find(end).validity.badInput) dated(); });
      find(end).addEventListener("blur", () => { this.#mark(); if (find(end).validity.badInput) tell(); });
    }
    for (const each of ["within", "sort"]) find(each).addEventListener("change", tell);
    find("any-time").append(icon("close"));
    find("any-time").addEventListener("click", () => { this.clearDays(); find("since").focus(); tell(); });
  }

  // What is asked for, as a link keeps it.
  get state() { return { q: find("q").value.trim(), from: find("since").value, to: find("until").value, sort: find("sort").value, near: find("within").checked }; }

  // Sets the controls; an order that is not offered is the first, and what is no day is none.
  restore({ q, from, to, sort, near }) {
    find("q").value = q;
    find("since").value = from;
    find("until").value = to;
    find("sort").value = sort;
    if (!find("sort").value) find("sort").selectedIndex = 0;
    find("within").checked = near;
    this.#mark();
  }

  get narrowed() {
    const { q, from, to, near } = this.state;
    return Boolean(q || from || to || near);
  }

  // What is wrong with the days, or null.
  get wrong() {
    const { from, to } = this.state;
    if (["since", "until"].some((end) => !find(end).validity.valid) || [from, to].some((day) => day && !DAY.test(day))) return "One of the days is none of the calendar.";
    return from && to && from > to ? "The last day lies before the first." : null;
  }

  // The parameters of the API that say so, without the box.
  get query() {
    const { q, from, to, sort } = this.state;
    const query = { sortby: sort };
    if (q) query.q = q;
    if (from || to) query.datetime = `${from ? `${from}T00:00:00Z` : ".."}/${to ? `${to}T23:59:59.999999Z` : ".."}`;
    return query;
  }

  clear() {
    find("q").value = "";
    find("within").checked = false;
    this.clearDays();
  }

  clearDays() {
    for (const end of ["since", "until"]) find(end).value = "";
    this.#mark();
  }

  // A part that is typed makes no day yet, and can be taken away all the same.
  #mark() { find("any-time").hidden = !["since", "until"].some((end) => find(end).value || find(end).validity.badInput); }
}
