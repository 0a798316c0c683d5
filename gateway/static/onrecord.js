// A dialog over tokens on record: one is made and told this once, those that there are are listed and ended.

import { Refused } from "./api.js";
import { announce, copyButton, dialogOf, make } from "./dom.js";
import { day } from "./format.js";

const DAYS = [1, 7, 30, 90, 365];

export const choices = (pairs, chosen) => pairs.map(([value, text]) => make("option", { value, selected: value === chosen }, text));
export const field = (label, control) => make("label", { class: "field" }, make("span", {}, label), control);

export class OnRecordDialog {
  // `path` is that of the API, `list` the member of its answer, `secret` that of a new one; `fields` are labelled controls.
  constructor(api, { id, title, note, path, list, secret, fields, days = 30, act }) {
    Object.assign(this, { api, path, list, secret });
    this.life = make("select", { name: "days" }, ...choices(DAYS.map((each) => [String(each), each === 1 ? "1 day" : `${each} days`]), String(days)));
    this.made = make("div", { class: "made", role: "status" });
    this.error = make("p", { class: "error", role: "alert" });
    this.rows = make("ul", { class: "issued", role: "list" });
    const form = make("form", {}, ...fields, field("Good for", this.life), make("div", { class: "actions" }, make("button", { type: "submit", class: "main" }, act)));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#create(); });
    this.dialog = dialogOf(id, title, make("p", { class: "note" }, note), form, this.error, this.made, this.rows);
    // What was told once is told no more.
    this.dialog.addEventListener("close", () => this.made.replaceChildren());
  }

  async open() {
    this.error.textContent = "";
    this.rows.replaceChildren();
    this.dialog.showModal();
    await this.#tried(() => this.#load());
  }

  get expires() { return new Date(Date.now() + Number(this.life.value) * 86_400_000 - 60_000).toISOString(); }

  async #create() {
    await this.#tried(async () => {
      const told = await this.api.json(this.path, { method: "POST", body: { ...this.body(), expires_at: this.expires } });
      const text = told[this.secret];
      const shown = make("input", { type: "text", readonly: true, value: text, "aria-label": "What is to be copied" });
      this.made.replaceChildren(make("p", { class: "note" }, "Copy it now: it is not shown again."), make("div", { class: "line" }, shown, copyButton(text, "Copy", "Copy")));
      shown.select();
      await this.#load();
    });
  }

  async #load() {
    const found = (await this.api.json(this.path))[this.list].filter((each) => this.shows(each));
    this.rows.replaceChildren(...found.map((each) => this.#row(each)));
  }

  #row(each) {
    const ended = new Date(each.expires_at) <= new Date();
    const told = [...this.told(each), `${ended ? "ended" : "until"} ${day(each.expires_at)}`, each.last_used_at ? `used ${day(each.last_used_at)}` : "not used yet"];
    const revoke = make("button", { type: "button", class: "small", "aria-label": `Revoke ${this.named(each)}`, onclick: () => this.#revoke(each) }, "Revoke");
    return make("li", { class: "line spread" }, make("div", {}, make("b", {}, this.named(each)), make("p", { class: "note" }, told.join(" · "))), revoke);
  }

  async #revoke(each) {
    await this.#tried(async () => {
      await this.api.ask(this.api.url(`${this.path}/${each.id}`), { method: "DELETE" });
      this.made.replaceChildren();
      announce("Revoked.");
      await this.#load();
    });
  }

  async #tried(work) {
    this.error.textContent = "";
    try {
      await work();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return this.dialog.close();
      this.error.textContent = error.message;
    }
  }
}
