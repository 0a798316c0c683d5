// The list of datasets that the visitor may see: search, order, pages, small pictures.

import { Refused, Unreachable } from "./api.js";
import { announce, debounced, find, icon, make, showState } from "./dom.js";
import { about, bytes, date, named, whole } from "./format.js";
import { usualRamp } from "./ramps.js";

const PAGE = 20;

export class Catalogue extends EventTarget {
  #page = 1;
  #asking = null;
  #pictures = new IntersectionObserver((seen) => seen.filter((each) => each.isIntersecting).forEach((each) => this.#draw(each.target)));

  // Asks the API; `extent` returns what the map shows, once there is one.
  constructor(api, extent = null) {
    super();
    this.api = api;
    this.extent = extent;
    // What the list shows, and the dataset chosen last: for who listens later.
    this.datasets = null;
    this.chosen = null;
    const again = debounced(() => this.load(1), 250);
    find("search").addEventListener("submit", (event) => { event.preventDefault(); this.load(1); });
    find("q").addEventListener("input", again);
    find("within").addEventListener("change", () => this.load(1));
    find("sort").addEventListener("change", () => this.load(1));
    find("list").addEventListener("pointerover", ({ target }) => this.#hover(target.closest(".item")?.dataset.id ?? null));
    find("list").addEventListener("pointerleave", () => this.#hover(null));
    find("list").addEventListener("focusin", ({ target }) => this.#hover(target.dataset.id ?? null));
    find("list").addEventListener("focusout", () => this.#hover(null));
    this.moved = debounced(() => find("within").checked && this.load(1), 400);
  }

  // What is asked for, as a link keeps it.
  get state() { return { page: this.#page, q: find("q").value.trim(), sort: find("sort").value, near: find("within").checked }; }

  // Sets the controls; an order that is not offered is the first.
  restore({ page, q, sort, near }) {
    find("q").value = q;
    find("sort").value = sort;
    if (!find("sort").value) find("sort").selectedIndex = 0;
    find("within").checked = near;
    this.#page = page;
  }

  async load(page = this.#page) {
    this.#page = page;
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    if (!find("list").children.length) showState(find("list-state"), { title: "Loading the list …", busy: true });
    find("list").setAttribute("aria-busy", "true");
    try {
      const found = await this.api.json("/datasets", { query: this.#query(), signal: asking.signal });
      if (!found.datasets.length && found.total && page > 1) return this.load(Math.ceil(found.total / PAGE));
      this.#show(found);
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(error);
    } finally {
      find("list").setAttribute("aria-busy", "false");
    }
  }

  // Lights up the row of a dataset whose outline the visitor points at.
  light(id) {
    for (const item of find("list").querySelectorAll(".item")) item.classList.toggle("lit", item.dataset.id === id);
  }

  focus(id) { (find("list").querySelector(`[data-id="${CSS.escape(id ?? "")}"]`) ?? find("q")).focus(); }

  #choose(id) {
    this.chosen = id;
    this.dispatchEvent(new CustomEvent("choose", { detail: id }));
  }

  #hover(id) {
    this.light(id);
    this.dispatchEvent(new CustomEvent("hover", { detail: id }));
  }

  #query() {
    const { q, sort, near } = this.state;
    const query = { limit: PAGE, offset: (this.#page - 1) * PAGE, sortby: sort };
    if (q) query.q = q;
    if (near && this.extent) query.bbox = this.extent().join(",");
    return query;
  }

  #show({ datasets, total, offset }) {
    const { q, near, sort } = this.state;
    showState(find("list-state"), total ? {} : this.#nothing(q || near));
    let folder = "";
    const rows = datasets.flatMap((each) => {
      const row = this.#item(each, sort !== "title");
      const here = sort === "title" ? named(each).folder : "";
      if (here === folder) return [row];
      folder = here;
      return [make("li", { class: "group" }, here || "Without a folder"), row];
    });
    find("list").replaceChildren(...rows);
    const shown = total > PAGE ? `${whole(offset + 1)}–${whole(offset + datasets.length)} of ${whole(total)} datasets` : `${whole(total)} ${total === 1 ? "dataset" : "datasets"}`;
    find("count").textContent = total ? shown : "";
    this.#fillPager(Math.ceil(total / PAGE));
    announce(total ? shown : "No datasets");
    this.datasets = datasets;
    this.dispatchEvent(new CustomEvent("shown", { detail: datasets }));
  }

  #fillPager(last) {
    find("pager").hidden = last <= 1;
    const near = new Set([1, last, this.#page - 1, this.#page, this.#page + 1].filter((page) => page >= 1 && page <= last));
    const pages = [...near].sort((one, other) => one - other);
    const step = (text, label, page) => make("button", { type: "button", "aria-label": label, disabled: page < 1 || page > last, onclick: () => this.#turn(page) }, text);
    const numbers = pages.flatMap((page, index) => [
      index && page - pages[index - 1] > 1 ? make("span", { "aria-hidden": "true" }, "…") : null,
      make("button", { type: "button", "aria-label": `Page ${page}`, "aria-current": page === this.#page ? "page" : null, onclick: () => this.#turn(page) }, String(page)),
    ]).filter(Boolean);
    find("pager").replaceChildren(step("‹", "Previous page", this.#page - 1), ...numbers, step("›", "Next page", this.#page + 1));
  }

  // To the top of the new page, and to its first row.
  async #turn(page) {
    await this.load(page);
    find("panel").scrollTop = 0;
    find("list").querySelector(".item")?.focus({ preventScroll: true });
  }

  #nothing(searched) {
    if (searched) return { title: "Nothing matches.", hint: "Other words, or fewer, may find more." };
    const hint = this.api.session.bearer ? "None has been shared with you so far." : "Some may be there for those who sign in.";
    return { title: "There are no datasets to see.", hint };
  }

  // Of a server that has gone the banner tells, and what was listed stays.
  #fail(error) {
    if (error instanceof Unreachable) return showState(find("list-state"), {});
    find("list").replaceChildren();
    find("count").textContent = "";
    find("pager").hidden = true;
    showState(find("list-state"), { title: "The list was refused.", hint: error.message, action: "Try again", run: () => this.load() });
  }

  #item(record, withFolder) {
    const { name, folder } = named(record);
    const facts = [withFolder ? folder : "", date(record.updated_at), about(record), bytes(record.size_bytes)];
    const picture = make("span", { class: "thumb", "data-id": record.id, "data-version": record.version });
    const button = make(
      "button",
      { type: "button", class: "item", "data-id": record.id, title: record.title, onclick: () => this.#choose(record.id) },
      picture,
      make("span", { class: "item-text" }, make("span", { class: "item-line" }, make("span", { class: "item-title" }, name), ...badges(record)), make("span", { class: "item-facts" }, facts.filter(Boolean).join(" · "))),
    );
    picture.ramp = record.count === 1 ? usualRamp(record) : "gray";
    if (!record.count) failed(picture, "broken");
    else if (record.dtype.startsWith("complex")) failed(picture, "blank");
    else this.#pictures.observe(picture);
    return make("li", {}, button);
  }

  async #draw(picture) {
    this.#pictures.unobserve(picture);
    const { id, version } = picture.dataset;
    try {
      const style = picture.ramp === "gray" ? {} : { colormap_name: picture.ramp };
      const answer = await this.api.ask(this.api.url(`/datasets/${id}/preview`, { max_size: 112, v: version, ...style }));
      const url = URL.createObjectURL(await answer.blob());
      const image = make("img", { alt: "", width: 54, height: 54 });
      image.addEventListener("load", () => { URL.revokeObjectURL(url); image.classList.add("drawn"); picture.classList.add("done"); }, { once: true });
      image.src = url;
      picture.append(image);
    } catch (error) {
      // The list is whole without it; what is missing itself is told.
      const gone = error instanceof Refused && error.status === 404;
      const altered = error instanceof Refused && error.problem.type === "/problems/not-a-cog";
      failed(picture, gone || altered ? "broken" : "blank");
      if (gone || altered) picture.parentElement.querySelector(".item-line").append(badge(gone ? "file is gone" : "not a COG", "bad"));
    }
  }
}

function failed(picture, name) {
  picture.classList.add("failed");
  picture.append(icon(name));
}

// What sets a dataset apart from a public and valid one.
export function badges(record) {
  const found = [];
  if (record.count == null) found.push(badge("not a COG", "bad"));
  if (record.visibility !== "public") found.push(badge(record.visibility, "", "lock"));
  return found;
}

export function badge(text, kind = "", drawn = null) {
  return make("span", { class: `badge ${kind}`.trim() }, drawn && icon(drawn), text);
}
