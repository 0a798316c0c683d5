// Saving a dataset's file: a token first, then the browser's own download under the server's file name.

import { Refused } from "./api.js";
import { announce, find, make } from "./dom.js";
import { bytes } from "./format.js";
import { SAVE, SIGN_IN } from "./wanted.js";

export const SAVING = "Saving. Your browser shows how far it is.";
export const NOT_YOURS = "You may look at this dataset, but not download it.";
export const ALTERED = "The file is no true COG any more, so it is not handed out.";
export const GONE = "The file of this dataset is gone.";

// Saves the file under its own name. HEAD tells of a refusal in this page; the download itself could only fail. An expired
// token is renewed once. Rejects as the API does; `wanted` is asked before the browser begins.
export async function save(api, id, wanted = () => true) {
  for (let left = 2; ; left -= 1) {
    const url = await mint(api, id);
    try {
      await api.ask(url, { method: "HEAD", bearer: null });
      return wanted() && begin(url);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401 || left <= 1) throw error;
    }
  }
}

// Returns true once the browser saves what lies at the URL.
export function begin(url) {
  const link = make("a", { href: url, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
  return true;
}

// Returns the URL of the file, which a token opens for two minutes. Rejects as the API does.
export async function mint(api, id) {
  const { token } = await api.post(`/auth/download-token/${id}`);
  return api.url(`/datasets/${id}/download/cog`, { token });
}

export class Download {
  #wanted;

  // `wanted` is the file that the page was opened for.
  constructor(api, account, wanted) {
    Object.assign(this, { api, account });
    this.#wanted = wanted;
    find("download").addEventListener("click", () => this.#save());
  }

  // Offers the file, or says why it cannot be had: `missing` is a reason that holds for everybody.
  show(record, missing) {
    this.record = record;
    find("download").textContent = `Download · ${bytes(record.size_bytes)}`;
    find("download-note").textContent = "";
    const reason = missing ?? (record.downloadable || this.#anonymous ? null : NOT_YOURS);
    find("download").disabled = Boolean(reason);
    if (reason) find("download-note").textContent = reason;
    else if (!record.downloadable) this.#invite();
    const step = this.#wanted.described(record, reason, this.#anonymous);
    if (step === SAVE) this.#save();
    if (step === SIGN_IN) this.account.leave();
  }

  // Of a dataset that the visitor may not see, or that is not there.
  refused(id, error) {
    if (error instanceof Refused && this.#wanted.refused(id, error.status, this.#anonymous) === SIGN_IN) this.account.leave();
  }

  // Whether the page was opened for this file, and has not begun to save it yet.
  wants(id) { return this.#wanted.id === id; }

  // The visitor goes on to something else.
  forget() { this.#wanted.id = null; }

  get #anonymous() { return !this.api.session.bearer; }

  async #save() {
    const { record } = this;
    find("download").disabled = true;
    this.#tell("Asking for a token …");
    try {
      if (await save(this.api, record.id, () => record === this.record)) this.#tell(SAVING);
    } catch (error) {
      if (record === this.record) this.#refuse(error);
    } finally {
      const kept = record !== this.withdrawn && (record.downloadable || !this.#anonymous);
      if (record === this.record) find("download").disabled = !kept;
    }
  }

  #refuse(error) {
    if (error instanceof Refused && error.status === 422) return this.#withdraw(ALTERED);
    if (error instanceof Refused && error.status === 404) return this.#withdraw(error.message);
    if (!(error instanceof Refused) || ![401, 403].includes(error.status)) return this.#tell(error.message);
    if (!this.#anonymous) return this.#withdraw(NOT_YOURS);
    this.#invite();
    announce(find("download-note").textContent);
  }

  // The file cannot be had any more: the button goes with it.
  #withdraw(reason) {
    this.#tell(reason);
    this.withdrawn = this.record;
  }

  #invite() {
    find("download").disabled = true;
    find("download-note").replaceChildren("To download it, you have to ", make("button", { type: "button", class: "quiet inline", onclick: () => this.account.open() }, "sign in"), ".");
  }

  #tell(text) {
    find("download-note").textContent = text;
    announce(text);
  }
}
