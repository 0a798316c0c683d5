// Saving a dataset's file: a token first, then the browser's own download under the server's file name.

import { Refused } from "./api.js";
import { announce, find, make } from "./dom.js";
import { bytes } from "./format.js";

// Returns the URL of the file, which a token opens for two minutes. Rejects as the API does.
export async function mint(api, id) {
  const { token } = await api.post(`/auth/download-token/${id}`);
  return api.url(`/datasets/${id}/download/cog`, { token });
}

export class Download {
  constructor(api, signIn) {
    this.api = api;
    this.signIn = signIn;
    find("download").addEventListener("click", () => this.#save());
  }

  show(record) {
    this.record = record;
    find("download").textContent = `Download · ${bytes(record.size_bytes)}`;
    find("download").disabled = false;
    find("download-note").textContent = "";
  }

  async #save() {
    const { record } = this;
    find("download").disabled = true;
    this.#tell("Asking for a token …");
    try {
      const url = await this.#tried(record.id);
      if (record !== this.record) return;
      const link = make("a", { href: url, download: "" });
      document.body.append(link);
      link.click();
      link.remove();
      this.#tell(`Your browser saves it now: ${bytes(record.size_bytes)}.`);
    } catch (error) {
      if (record === this.record) this.#refuse(error);
    } finally {
      if (record === this.record) find("download").disabled = false;
    }
  }

  // HEAD tells of a refusal in this page; the download itself could only fail. An expired token is renewed once.
  async #tried(id) {
    for (let left = 2; ; left -= 1) {
      const url = await mint(this.api, id);
      try {
        await this.api.ask(url, { method: "HEAD", bearer: null });
        return url;
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 401 || left <= 1) throw error;
      }
    }
  }

  #refuse(error) {
    const anonymous = !this.api.session.bearer;
    if (error instanceof Refused && error.status === 422) return this.#tell("The file is no true COG any more, so it is not handed out.");
    if (!(error instanceof Refused) || ![401, 403].includes(error.status)) return this.#tell(error.message);
    if (!anonymous) return this.#tell("You may look at this dataset, but not download it.");
    this.#tell("Only those who are signed in may download this.");
    find("download-note").append(" ", make("button", { type: "button", class: "quiet", onclick: this.signIn }, "Sign in"));
  }

  #tell(text) {
    find("download-note").textContent = text;
    announce(text);
  }
}
