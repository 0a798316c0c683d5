// The dialog in which a visitor pastes a bearer token.

import { Refused } from "./api.js";
import { announce, find, icon } from "./dom.js";

export class Account {
  constructor(api) {
    this.api = api;
    const { session } = api;
    find("account").addEventListener("click", () => (session.bearer ? session.end() : this.open()));
    find("signin-cancel").addEventListener("click", () => find("signin").close());
    find("signin").addEventListener("close", () => { find("bearer").value = ""; });
    find("signin-form").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    session.addEventListener("change", () => this.#tell());
    if (session.bearer) this.#tell();
    find("tokens-open").append(icon("key"));
    find("tokens-open").addEventListener("click", async () => {
      const { TokensDialog } = await import("./tokens.js");
      this.tokens ??= new TokensDialog(api);
      this.tokens.open();
    });
  }

  open() {
    find("signin-error").textContent = "";
    find("signin").showModal();
    find("bearer").focus();
  }

  // The token is tried before it is kept: a bad one changes nothing.
  async #submit() {
    const bearer = find("bearer").value.trim().replace(/^bearer\s+/i, "");
    if (!/^[\x21-\x7e]+$/.test(bearer)) {
      find("signin-error").textContent = "This is not a valid token: it has spaces or other characters that no token has.";
      return;
    }
    try {
      await this.api.ask(this.api.url("/datasets", { limit: 1 }), { bearer });
    } catch (error) {
      const refusal = error instanceof Refused && error.status === 401;
      // Of what has the form of a token the server knows what is wrong; of other text there is nothing more to say.
      const formed = bearer.split(".").length === 3;
      find("signin-error").textContent = refusal ? `Not a valid token.${formed ? ` ${error.message}` : ""}` : error.message;
      find("bearer").focus();
      return;
    }
    find("signin").close();
    this.api.session.begin(bearer);
  }

  #tell() {
    const { session } = this.api;
    const user = session.bearer ? session.user : "";
    find("who").hidden = !user;
    find("who").textContent = user;
    find("account").textContent = user ? "Sign out" : "Sign in";
    find("tokens-open").hidden = !session.makes;
    announce(user ? `Signed in as ${user}` : "Signed out");
  }
}
