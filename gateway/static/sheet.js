// On a small screen the panel is a sheet over the map, of three heights; elsewhere it is a column and none of this shows.

import { find, icon } from "./dom.js";

const HEIGHTS = ["peek", "half", "full"];
const LEAST_DRAG = 24;
const LABELS = { peek: "Show more of the panel", half: "Show all of the panel", full: "Show the map" };

export class Sheet {
  // `resume` brings a list back to where it was left.
  constructor(resume) {
    this.resume = resume;
    find("grip").addEventListener("click", () => this.#step());
    find("map-open").addEventListener("click", () => { this.height = this.height === "peek" ? "full" : "peek"; });
    find("panel").addEventListener("focusin", ({ target }) => { if (this.height === "peek" && target.matches("#dataset-body *")) this.height = "half"; });
    this.#drag(find("grip"));
    this.height = "full";
  }

  get height() { return document.body.dataset.sheet; }

  set height(value) {
    document.body.dataset.sheet = value;
    if (document.body.dataset.view === "list") this.resume();
    else find("panel").scrollTop = 0;
    find("grip").setAttribute("aria-label", LABELS[value]);
    find("map-open").replaceChildren(icon(value === "peek" ? "list" : "map"), value === "peek" ? "List" : "Map");
  }

  // A list wants the whole screen, a dataset half of it for its map.
  show(view) {
    document.body.dataset.view = view;
    this.height = view === "list" ? "full" : "half";
  }

  #step() {
    if (this.dragged) return;
    const list = document.body.dataset.view === "list";
    this.height = list ? (this.height === "peek" ? "full" : "peek") : HEIGHTS[(HEIGHTS.indexOf(this.height) + 1) % HEIGHTS.length];
  }

  #drag(grip) {
    let from = null;
    grip.addEventListener("pointerdown", ({ clientY, pointerId }) => {
      from = clientY;
      this.dragged = false;
      grip.setPointerCapture(pointerId);
    });
    grip.addEventListener("pointerup", ({ clientY }) => {
      if (from === null) return;
      const by = from - clientY;
      from = null;
      if (Math.abs(by) < LEAST_DRAG) return;
      // The click that follows is the same gesture.
      this.dragged = true;
      setTimeout(() => { this.dragged = false; });
      const far = Math.abs(by) > innerHeight * 0.35 ? 2 : 1;
      const at = HEIGHTS.indexOf(this.height) + Math.sign(by) * far;
      this.height = HEIGHTS[Math.min(HEIGHTS.length - 1, Math.max(0, at))];
    });
  }
}
