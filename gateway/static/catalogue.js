// The list of datasets that the visitor may see: search, pages, small pictures.

import { Unreachable } from "./api.js";
import { announce, debounced, find, make, showState } from "./dom.js";
import { bytes, whole } from "./format.js";

const PAGE = 20;

export class Catalogue extends EventTarget {
  #offset = 0;
  #asking = null;
  #chosen = null;
  #pictures = new IntersectionObserver((seen) => seen.filter((each) => each.isIntersecting).forEach((each) => this.#draw(each.target)));

  constructor(api, extent) {
    super();
    this.api = api;
    this.extent = extent;
    const again = debounced(() => this.load(0), 250);
    find("search").addEventListener("submit", (event) => { event.preventDefault(); this.load(0); });
    find("q").addEventListener("input", again);
    find("within").addEventListener("change", () => this.load(0));
    find("previous").addEventListener("click", () => this.load(this.#offset - PAGE));
    find("next").addEventListener("click", () => this.load(this.#offset + PAGE));
    this.moved = debounced(() => find("within").checked && this.load(0), 400);
  }

  async load(offset = this.#offset) {
    this.#offset = Math.max(0, offset);
    this.#asking?.abort();
    const asking = this.#asking = new AbortController();
    if (!find("list").children.length) showState(find("list-state"), { title: "Loading the list …", busy: true });
    find("list").setAttribute("aria-busy", "true");
    try {
      const page = await this.api.json("/datasets", { query: this.#query(), signal: asking.signal });
      this.#show(page);
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(error);
    } finally {
      find("list").setAttribute("aria-busy", "false");
    }
  }

  choose(id) {
    this.#chosen = id;
    for (const item of find("list").querySelectorAll("button")) mark(item, id);
  }

  #query() {
    const query = { limit: PAGE, offset: this.#offset };
    const words = find("q").value.trim();
    if (words) query.q = words;
    if (find("within").checked) query.bbox = this.extent().join(",");
    return query;
  }

  #show({ datasets, total, offset }) {
    const searched = find("q").value.trim() || find("within").checked;
    showState(find("list-state"), total ? {} : this.#nothing(searched));
    find("list").replaceChildren(...datasets.map((each) => this.#item(each)));
    const shown = total > PAGE ? `${whole(offset + 1)} to ${whole(offset + datasets.length)} of ${whole(total)} datasets` : `${whole(total)} ${total === 1 ? "dataset" : "datasets"}`;
    find("count").textContent = total ? shown : "";
    find("pager").hidden = total <= PAGE;
    find("previous").disabled = offset === 0;
    find("next").disabled = offset + datasets.length >= total;
    announce(total ? shown : "No datasets");
  }

  #nothing(searched) {
    if (searched) return { title: "Nothing matches.", hint: "Other words, or fewer, may find more." };
    const hint = this.api.session.bearer ? "None has been shared with you so far." : "Some may be there for those who sign in.";
    return { title: "There are no datasets to see.", hint };
  }

  #fail(error) {
    find("list").replaceChildren();
    find("count").textContent = "";
    find("pager").hidden = true;
    const title = error instanceof Unreachable ? "The server does not answer." : "The list was refused.";
    showState(find("list-state"), { title, hint: error instanceof Unreachable ? "" : error.message, action: "Try again", run: () => this.load() });
  }

  #item(record) {
    const size = record.width ? `${whole(record.width)} × ${whole(record.height)} · ` : "";
    const bands = record.count ? `${record.count} ${record.count === 1 ? "band" : "bands"} · ` : "";
    const picture = make("img", { alt: "", width: 56, height: 56, "data-id": record.id, "data-version": record.version });
    const button = make(
      "button",
      { type: "button", class: "item", "data-id": record.id, onclick: () => this.dispatchEvent(new CustomEvent("choose", { detail: record.id })) },
      picture,
      make("span", { class: "item-text" }, make("span", { class: "item-title" }, record.title), make("span", { class: "item-facts" }, `${size}${bands}${bytes(record.size_bytes)}`)),
      record.visibility === "public" ? null : make("span", { class: "badge" }, record.visibility),
    );
    mark(button, this.#chosen);
    this.#pictures.observe(picture);
    return make("li", {}, button);
  }

  async #draw(picture) {
    this.#pictures.unobserve(picture);
    const { id, version } = picture.dataset;
    try {
      const answer = await this.api.ask(this.api.url(`/datasets/${id}/preview`, { max_size: 112, v: version }));
      const url = URL.createObjectURL(await answer.blob());
      picture.addEventListener("load", () => { URL.revokeObjectURL(url); picture.classList.add("drawn"); }, { once: true });
      picture.src = url;
    } catch {
      // The list is whole without it.
      picture.classList.add("missing");
    }
  }
}

function mark(button, id) {
  if (button.dataset.id === id) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
