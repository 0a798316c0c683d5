// A list of any length: only the rows that can be seen are in the document, in a box that is as high as all of them.

import { make } from "./dom.js";

// As --row in viewer.css.
const ROW_PX = 70;
const SPARE_ROWS = 6;
// Places on the screen are fractions.
const NEARLY_PX = 1;

export class Rows extends EventTarget {
  #rows = new Map();
  #count = 0;
  #active = 0;
  #asked = 0;

  // `draw` returns the control of a row by its number, null for one that has not come yet (and one of the class "missed" may come later); `drop` hears of a control that leaves;
  // `covered` returns the pixels at the scroller's top that something lies over.
  constructor(scroller, box, { draw, drop = () => {}, covered = () => 0 }) {
    super();
    Object.assign(this, { scroller, box, draw, drop, covered });
    const later = () => { this.#asked ||= requestAnimationFrame(() => { this.#asked = 0; this.update(); }); };
    scroller.addEventListener("scroll", later, { passive: true });
    const sizes = new ResizeObserver(later);
    for (const each of [scroller, box.parentElement]) sizes.observe(each);
    box.addEventListener("keydown", (event) => this.#walk(event));
    box.addEventListener("focusin", ({ target }) => { this.#active = place(target); this.#offer(); });
  }

  get count() { return this.#count; }

  // Begins anew with so many rows.
  reset(count) {
    for (const [index, row] of this.#rows) this.#remove(index, row);
    this.#count = count;
    this.#active = 0;
    this.#stretch();
    this.update();
  }

  // The same rows, of which there are more or fewer than was thought.
  set count(count) {
    if (count === this.#count) return;
    this.#count = count;
    for (const [index, row] of this.#rows) {
      if (index >= count) this.#remove(index, row);
      else row.setAttribute("aria-setsize", count);
    }
    this.#stretch();
    this.update();
  }

  // Draws anew those rows that had not come.
  fill() {
    for (const [index, row] of this.#rows) {
      if (!row.classList.contains("waiting") && !row.firstElementChild.classList.contains("missed")) continue;
      const focused = row.contains(document.activeElement);
      const fresh = this.#row(index);
      row.replaceWith(fresh);
      this.#rows.set(index, fresh);
      if (focused) fresh.firstElementChild.focus({ preventScroll: true });
    }
    this.#offer();
  }

  // The number of the first row that can be seen, and of that behind the last one.
  get first() { return Math.min(Math.max(0, Math.floor((this.#above() + this.covered() + NEARLY_PX) / ROW_PX)), Math.max(0, this.#count - 1)); }

  get last() { return Math.min(this.#count, Math.max(0, Math.ceil((this.#above() + this.scroller.clientHeight) / ROW_PX))); }

  // Whether the box begins above of what can be seen.
  get begun() { return this.#above() + this.covered() > 0; }

  // Scrolls to a row.
  show(index) {
    this.scroller.scrollTop += index * ROW_PX - this.#above() - this.covered();
    this.update();
  }

  focus(index) {
    this.#active = Math.min(Math.max(0, index), this.#count - 1);
    const top = this.#active * ROW_PX - this.#above();
    const hidden = this.covered() - top;
    const below = top + ROW_PX - this.scroller.clientHeight;
    if (hidden > 0) this.scroller.scrollTop -= hidden;
    else if (below > 0) this.scroller.scrollTop += below;
    this.update();
    this.#rows.get(this.#active)?.firstElementChild.focus({ preventScroll: true });
  }

  // Calls `work` with each control that is in the document.
  each(work) { for (const row of this.#rows.values()) work(row.firstElementChild); }

  update() {
    if (!this.box.offsetParent) return;
    const from = Math.max(0, this.first - SPARE_ROWS);
    const to = Math.min(this.#count, this.last + SPARE_ROWS);
    for (const [index, row] of this.#rows) {
      // Who has the focus keeps it.
      if ((index < from || index >= to) && !row.contains(document.activeElement)) this.#remove(index, row);
    }
    for (let index = from; index < to; index += 1) if (!this.#rows.has(index)) this.#insert(index);
    this.#offer();
    this.dispatchEvent(new CustomEvent("seen", { detail: this.last > this.first ? { from, to } : { from, to: from } }));
  }

  #above() { return this.scroller.getBoundingClientRect().top - this.box.getBoundingClientRect().top; }

  #stretch() { this.box.style.height = `${this.#count * ROW_PX}px`; }

  #insert(index) {
    let next = null;
    for (const other of this.#rows.keys()) if (other > index && (next === null || other < next)) next = other;
    const row = this.#row(index);
    this.box.insertBefore(row, next === null ? null : this.#rows.get(next));
    this.#rows.set(index, row);
  }

  #row(index) {
    const control = this.draw(index);
    const row = make("li", { "aria-setsize": this.#count, "aria-posinset": index + 1, class: control ? null : "waiting" });
    row.append(control ?? make("div", { class: "item" }, make("span", { class: "hidden" }, "Loading"), make("span", { class: "thumb" }), make("span", { class: "bar" })));
    row.firstElementChild.tabIndex = -1;
    row.style.top = `${index * ROW_PX}px`;
    return row;
  }

  #remove(index, row) {
    this.drop(row.firstElementChild);
    row.remove();
    this.#rows.delete(index);
  }

  // One row of the list is a stop of the Tab key: that which had the focus last, or the first one in sight.
  #offer() {
    const stop = this.#rows.has(this.#active) ? this.#active : this.first;
    for (const [index, row] of this.#rows) row.firstElementChild.tabIndex = index === stop ? 0 : -1;
  }

  #walk(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const sight = Math.max(1, Math.floor((this.scroller.clientHeight - this.covered()) / ROW_PX) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: sight, PageUp: -sight, Home: -this.#count, End: this.#count }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = place(event.target);
    const past = Math.abs(step) === 1 && (at + step < 0 || at + step >= this.#count);
    if (past) this.dispatchEvent(new CustomEvent("past", { detail: step }));
    else this.focus(at + step);
  }
}

const place = (node) => Number(node.closest("li").getAttribute("aria-posinset")) - 1;

// Arrow keys lead from the search into the lists, from one list into the next, and back.
// `lists` are Rows, in the order in which they stand.
export function leadThrough(search, lists) {
  const enter = (list, row) => { list.focus(row); return true; };
  const down = (number) => lists.slice(number).some((list) => list.count && enter(list, 0));
  const up = (number) => lists.slice(0, number).reverse().some((list) => list.count && enter(list, list.count - 1));
  search.addEventListener("keydown", (event) => { if (event.key === "ArrowDown" && down(0)) event.preventDefault(); });
  lists.forEach((list, number) => list.addEventListener("past", ({ detail }) => {
    if (detail > 0) down(number + 1);
    else if (!up(number)) search.focus();
  }));
}
