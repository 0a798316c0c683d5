// Rows of the list: a dataset with its small picture, a collection, and one that did not come.

import { Refused } from "./api.js";
import { icon, make } from "./dom.js";
import { about, bytes, days, named, plain, whole } from "./format.js";
import { usualRamp } from "./ramps.js";

// A row that is scrolled past needs no picture.
const REST_MS = 120;

export const counted = (count, one) => `${whole(count)} ${one}${count === 1 ? "" : "s"}`;

export function collectionItem({ id, title, count, start, end }) {
  return make(
    "button",
    { type: "button", class: "item", "data-key": `collection:${id}`, title },
    make("span", { class: "thumb whole" }, icon("stack")),
    text(plain(title) || id, [], counted(count, "dataset"), days(start, end) ?? ""),
    make("span", { class: "into", "aria-hidden": "true" }, icon("into")),
  );
}

export function datasetItem(record) {
  const { name, folder } = named(record);
  const facts = [days(record.start_at, record.end_at), about(record), bytes(record.size_bytes)].filter(Boolean).join(" · ");
  return make(
    "button",
    { type: "button", class: "item", "data-key": `dataset:${record.id}`, "data-id": record.id, title: record.title },
    make("span", { class: "thumb", "data-id": record.id, "data-version": record.version }),
    text(name, badges(record), folder, facts),
  );
}

export const missedItem = (row) => make("button", { type: "button", class: "item missed", "data-again": row }, make("span", { class: "thumb failed" }, icon("broken")), text("These rows did not come.", [], "", "Try again"));

function text(name, marks, above, facts) {
  return make(
    "span",
    { class: "item-text" },
    make("span", { class: "item-line" }, make("span", { class: "item-title" }, name), ...marks),
    above ? make("span", { class: "item-above" }, above) : null,
    make("span", { class: "item-facts" }, facts),
  );
}

// The small pictures of rows in the document, asked for when a row is in sight for a moment.
export class Pictures {
  #asked = new WeakMap();

  constructor(api, scroller) {
    this.api = api;
    this.sight = new IntersectionObserver((seen) => seen.filter((each) => each.isIntersecting).forEach(({ target }) => this.#draw(target)), { root: scroller });
  }

  // `item` is that of a dataset.
  add(item, record) {
    const picture = item.querySelector(".thumb");
    picture.ramp = record.count === 1 ? usualRamp(record) : "gray";
    if (!record.count) failed(picture, "broken");
    else if (record.dtype.startsWith("complex")) failed(picture, "blank");
    else this.sight.observe(picture);
  }

  drop(item) {
    const picture = item.querySelector(".thumb");
    if (!picture) return;
    this.sight.unobserve(picture);
    this.#asked.get(picture)?.abort();
  }

  async #draw(picture) {
    this.sight.unobserve(picture);
    const asking = new AbortController();
    this.#asked.set(picture, asking);
    await new Promise((resume) => setTimeout(resume, REST_MS));
    if (!picture.isConnected) return;
    const { id, version } = picture.dataset;
    try {
      const style = picture.ramp === "gray" ? {} : { colormap_name: picture.ramp };
      const answer = await this.api.ask(this.api.url(`/datasets/${id}/preview`, { max_size: 112, v: version, ...style }), { signal: asking.signal });
      const url = URL.createObjectURL(await answer.blob());
      const image = make("img", { alt: "", width: 54, height: 54 });
      const over = () => URL.revokeObjectURL(url);
      image.addEventListener("load", () => { over(); image.classList.add("drawn"); picture.classList.add("done"); }, { once: true });
      image.addEventListener("error", over, { once: true });
      image.src = url;
      picture.append(image);
    } catch (error) {
      if (error.name === "AbortError") return;
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

export function badge(words, kind = "", drawn = null) {
  return make("span", { class: `badge ${kind}`.trim() }, drawn && icon(drawn), words);
}
