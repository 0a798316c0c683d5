// Links to share a dataset with people who do not sign in: made and ended by its owner or an administrator.

import { make } from "./dom.js";
import { OnRecordDialog, choices, field } from "./onrecord.js";

export class LinksDialog extends OnRecordDialog {
  constructor(api) {
    const right = make("select", {}, ...choices([["view", "Look at it here"], ["download", "Download the file"]], "view"));
    const uses = make("input", { type: "number", min: 1, max: 1_000_000, step: 1, placeholder: "any number", inputmode: "numeric" });
    super(api, {
      id: "links", title: "Share with a link", path: "/links", list: "links", secret: "url", act: "Make a link",
      note: "Whoever has the link needs no sign-in. Each use is on record, and you can end it at any time.",
      fields: [field("To", right), field("Times", uses)],
    });
    Object.assign(this, { right, uses });
  }

  async show(record) {
    this.record = record;
    await this.open();
  }

  body() {
    const uses = this.uses.value ? { uses: Number(this.uses.value) } : {};
    return { dataset: this.record.id, right: this.right.value, ...uses };
  }

  shows(each) { return each.dataset === this.record.id; }

  named(each) { return each.right === "download" ? "Download" : "Look at it"; }

  told(each) { return [each.uses === null ? `${each.used} uses` : `${each.used} of ${each.uses} uses`]; }
}
