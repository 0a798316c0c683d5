// Signing in and out: with the gateway's issuer where it has one, or by a bearer token that a visitor pastes.

import { Refused } from "./api.js";
import { announce, find, icon } from "./dom.js";
import { keepFresh } from "./renewal.js";

export class Account {
  // `issuer` is the name of the gateway's issuer, "" without one; `place` returns the address to come back to, and
  // `tell(text, action, run)` is the banner.
  constructor(api, { issuer, place, tell }) {
    Object.assign(this, { api, issuer, place, tell });
    const { session } = api;
    find("account").addEventListener("click", () => this.#turn());
    find("signin-cancel").append(icon("close"));
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
    if (issuer) this.#offerIssuer();
  }

  open() {
    find("signin-error").textContent = "";
    find("signin-other").open = !this.issuer;
    find("signin").showModal();
    find(this.issuer ? "signin-go" : "bearer").focus();
  }

  // Leads to the issuer and back to this place, or to the dialog where there is no issuer.
  async leave() {
    if (!this.issuer) return this.open();
    find("signin-go").disabled = true;
    try {
      const { leave } = await import("./signin.js");
      await leave(this.api, this.place());
    } catch (error) {
      if (!find("signin").open) this.open();
      find("signin-error").textContent = error.message;
    } finally {
      find("signin-go").disabled = false;
    }
  }

  #offerIssuer() {
    find("signin-title").textContent = "Sign in";
    find("signin-issuer").hidden = find("signin-with").hidden = false;
    find("signin-go").textContent = `Continue to ${this.issuer}`;
    find("signin-go").addEventListener("click", () => this.leave());
    find("signout-here").addEventListener("click", () => this.#end());
    find("signout-there").addEventListener("click", () => this.#end({ there: true }));
    find("signout-cancel").addEventListener("click", () => find("signout").close());
    keepFresh(this.api.session, this.tell, () => this.leave());
  }

  // Who came by an issuer chooses where to sign out; of others only this page knows.
  #turn() {
    const { session } = this.api;
    if (!session.bearer) return this.open();
    if (!session.grant) return session.end();
    find("signout-there").hidden = !session.grant.endsElsewhere;
    find("signout-there").textContent = `Here and at ${this.issuer}`;
    find("signout").showModal();
    find("signout-here").focus();
  }

  #end({ there = false } = {}) {
    const { grant } = this.api.session;
    find("signout").close();
    grant.drop();
    this.api.session.end();
    if (there) grant.leave();
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
