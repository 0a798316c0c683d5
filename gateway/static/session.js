// Who is signed in. The bearer token lives in this object alone: never in storage, a cookie or a URL.

// Returns what a JSON Web Token claims, {} of other text; the server is the one who checks it.
export function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (each) => each.charCodeAt(0))));
  } catch {
    return {};
  }
}

export class Session extends EventTarget {
  #bearer = null;
  #renewing = null;
  // Counts who is signed in, one after the other: a bearer that is renewed is still the same visitor's.
  visit = 0;
  // The link to share by which the page was opened, null without one: it belongs into the address.
  link = null;
  // What an issuer gave, null for who pasted a token or came by a link.
  grant = null;

  get bearer() { return this.#bearer; }

  // The name in the token.
  get user() {
    const claims = claimsOf(this.#bearer);
    if (claims.typ === "link") return "by a link";
    return String(this.grant?.name ?? claims.sub ?? "signed in");
  }

  // Whether it is a sign-in, which may make tokens and links; a token of one's own and a link may not.
  get makes() { return Boolean(this.#bearer) && !this.link && !this.#bearer.startsWith("cgw_"); }

  begin(bearer, { link = null, grant = null } = {}) {
    this.#set(bearer, link, grant);
    this.dispatchEvent(new CustomEvent("change", { detail: { expired: false } }));
  }

  end(expired = false) {
    if (this.#bearer === null) return;
    this.#set(null, null, null);
    this.dispatchEvent(new CustomEvent("change", { detail: { expired } }));
  }

  // Has the issuer renew the bearer; resolves to whether there is another one, and rejects as the grant does. Who asks
  // meanwhile waits for the same answer: a refresh token is good once.
  renewed() {
    const { grant } = this;
    if (!grant?.renewable) return Promise.resolve(false);
    this.#renewing ??= grant.renew().then((bearer) => {
      if (this.grant !== grant) return false;
      this.#bearer = bearer;
      this.dispatchEvent(new Event("renewed"));
      return true;
    }).finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  #set(bearer, link, grant) {
    this.visit += 1;
    this.#renewing = null;
    Object.assign(this, { link, grant });
    this.#bearer = bearer;
  }
}
