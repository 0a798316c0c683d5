// All files of the list that is shown: how much they are, and then a list of them for a program that takes many.

import { Refused } from "./api.js";
import { announce, copyButton, dialogOf, make } from "./dom.js";
import { begin } from "./download.js";
import { bytes, day, whole } from "./format.js";
import { counted } from "./items.js";
import { choices, field } from "./onrecord.js";

// By the program that takes it: what it is called, and its line for the file, whose address is there too.
const PROGRAMS = {
  fetch: ["cog-gateway fetch", (_, url) => `cog-gateway fetch "${url}" -o rasters`],
  metalink: ["Metalink: aria2c and others", (file) => `aria2c --metalink-file=${file}`],
  aria2: ["aria2c", (file) => `aria2c -i ${file}`],
  curl: ["curl", (file) => `curl --parallel -K ${file}`],
  urls: ["wget: addresses alone", (file) => `wget --content-disposition -i ${file}`],
};

export class DownloadAll {
  #asking = null;
  // The list, once it is made: it is one for all programs.
  #list = null;

  constructor(api, signIn) {
    Object.assign(this, { api, signIn });
    this.program = make("select", {}, ...choices(Object.entries(PROGRAMS).map(([name, [title]]) => [name, title]), "fetch"));
    this.size = make("p", { class: "size", role: "status" });
    this.left = make("p", { class: "note" });
    this.error = make("p", { class: "error", role: "alert" });
    this.made = make("div", { class: "made", role: "status" });
    this.act = make("button", { type: "submit", class: "main" }, "Make the list");
    this.form = make("form", {}, field("For", this.program), make("div", { class: "actions" }, this.act));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#make(); });
    this.program.addEventListener("change", () => this.made.replaceChildren());
    this.invitation = make("button", { type: "button", class: "main", onclick: () => { this.dialog.close(); this.signIn(); } }, "Sign in");
    this.dialog = dialogOf("all", "Download all", this.size, this.left, this.form, this.invitation, this.error, this.made);
    this.dialog.addEventListener("close", () => { this.#asking?.abort(); this.made.replaceChildren(); });
  }

  // Tells how many files of the list the visitor may have, and how large they are.
  async show({ datasets, total }) {
    this.datasets = datasets;
    this.#list = null;
    const isNobody = !this.api.session.bearer;
    this.form.hidden = true;
    this.invitation.hidden = !isNobody;
    this.error.textContent = "";
    this.left.textContent = isNobody ? "A list of many files is made for who signs in. Each file alone can be downloaded where it is open to everybody." : "";
    this.size.textContent = isNobody ? `${counted(total, "file")} in the list` : "Counting …";
    this.dialog.showModal();
    if (isNobody) return;
    await this.#tried(async (signal) => {
      const { count, bytes: size, left_out: left } = await this.#post({ dry_run: true }, signal);
      this.size.textContent = `${counted(count, "file")}, ${bytes(size)}`;
      this.left.textContent = left ? `${whole(left)} more ${left === 1 ? "is" : "are"} left out: you may not download ${left === 1 ? "it" : "them"}, or ${left === 1 ? "it is no true COG" : "they are no true COGs"} any more.` : "";
      this.form.hidden = false;
      this.program.focus();
    });
    if (this.form.hidden) this.size.textContent = "";
  }

  async #make() {
    this.act.disabled = true;
    this.made.replaceChildren();
    await this.#tried(async (signal) => {
      this.#list ??= await this.#post({}, signal);
      const { id, links, expires_at: ends } = this.#list;
      const program = this.program.value;
      const link = links.find(({ rel }) => rel === (program === "fetch" ? "ndjson" : program));
      if (program !== "fetch") begin(this.api.own(link.href, "/downloads/"));
      const line = PROGRAMS[program][1](`files-${id.slice(0, 8)}.${program}`, link.href);
      const told = program === "fetch" ? "This line fetches them." : "The list is saved. This line fetches them, where it lies.";
      this.made.replaceChildren(
        make("p", { class: "note" }, told),
        make("pre", { tabindex: 0 }, line),
        make("div", { class: "line spread" }, make("p", { class: "note" }, `Good until ${day(ends)}, without sign-in: keep it as you would a password.`), copyButton(line, "Copy the line", "Copy")),
      );
      announce(told);
    });
    this.act.disabled = false;
  }

  #post(how, signal) { return this.api.json("/downloads", { method: "POST", body: { datasets: this.datasets, ...how }, signal }); }

  async #tried(work) {
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    this.error.textContent = "";
    try {
      await work(signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof Refused && error.status === 401) return this.dialog.close();
      this.error.textContent = error.message;
    }
  }
}
