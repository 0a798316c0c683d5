// Links to share a dataset or a collection with people who do not sign in: made and ended by its owner or an administrator.

import { make } from "./dom.js";
import { OnRecordDialog, choices, field } from "./onrecord.js";

export class LinksDialog extends OnRecordDialog {
  constructor(api) {
    const right = make("select", {}, ...choices([["view", "Look at it here"], ["download", ""]], "view"));
    const uses = make("input", { type: "number", min: 1, max: 1_000_000, step: 1, placeholder: "any number", inputmode: "numeric" });
    super(api, {
      id: "links", title: "Share with a link", path: "/links", list: "links", secret: "url", act: "Make a link",
      note: "Whoever has the link needs no sign-in. Each use is on record, and you can end it at any time.",
      fields: [field("To", right), field("Times", uses)],
    });
    Object.assign(this, { right, uses });
  }

  // Shows those of a `dataset` or a `collection`, the other one is null.
  async show({ dataset = null, collection = null }) {
    Object.assign(this, { dataset, collection });
    this.right.options[1].textContent = dataset ? "Download the file" : "Look at it and download its files";
    await this.open();
  }

  body() {
    const uses = this.uses.value ? { uses: Number(this.uses.value) } : {};
    return { dataset: this.dataset, collection: this.collection, right: this.right.value, ...uses };
  }

  shows(each) { return each.dataset === this.dataset && each.collection === this.collection; }

  named(each) { return each.right === "download" ? "Download" : "Look at it"; }

  told(each) { return [each.uses === null ? `${each.used} uses` : `${each.used} of ${each.uses} uses`]; }
}
