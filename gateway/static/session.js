// Who is signed in. The bearer token lives in this object alone: never in storage, a cookie or a URL.

export class Session extends EventTarget {
  #bearer = null;

  get bearer() { return this.#bearer; }

  // The name in the token; the server is the one who checks it.
  get user() {
    try {
      const part = this.#bearer.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      const text = new TextDecoder().decode(Uint8Array.from(atob(part), (each) => each.charCodeAt(0)));
      return String(JSON.parse(text).sub ?? "signed in");
    } catch {
      return "signed in";
    }
  }

  begin(bearer) {
    this.#bearer = bearer;
    this.dispatchEvent(new CustomEvent("change", { detail: { expired: false } }));
  }

  end(expired = false) {
    if (this.#bearer === null) return;
    this.#bearer = null;
    this.dispatchEvent(new CustomEvent("change", { detail: { expired } }));
  }
}
