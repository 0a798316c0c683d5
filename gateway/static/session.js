// Who is signed in. The bearer token lives in this object alone: never in storage, a cookie or a URL.

export class Session extends EventTarget {
  #bearer = null;
  // The link to share by which the page was opened, null without one: it belongs into the address.
  link = null;

  get bearer() { return this.#bearer; }

  // The name in the token; the server is the one who checks it.
  get user() {
    try {
      const part = this.#bearer.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      const text = new TextDecoder().decode(Uint8Array.from(atob(part), (each) => each.charCodeAt(0)));
      const claims = JSON.parse(text);
      return claims.typ === "link" ? "by a link" : String(claims.sub ?? "signed in");
    } catch {
      return "signed in";
    }
  }

  // Whether it is a sign-in, which may make tokens and links; a token of one's own and a link may not.
  get makes() { return Boolean(this.#bearer) && !this.link && !this.#bearer.startsWith("cgw_"); }

  begin(bearer, link = null) {
    this.#bearer = bearer;
    this.link = link;
    this.dispatchEvent(new CustomEvent("change", { detail: { expired: false } }));
  }

  end(expired = false) {
    if (this.#bearer === null) return;
    this.#bearer = this.link = null;
    this.dispatchEvent(new CustomEvent("change", { detail: { expired } }));
  }
}
