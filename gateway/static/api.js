// One way to ask the server, and two ways in which it can fail: it refuses, or it is not there.

const TRIES = 3;
const LONGEST_WAIT_SECONDS = 5;
const BUSY = [429, 503];

export const datasetPath = (id) => `/datasets/${id}`;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

export class Unreachable extends Error {}

export class Api extends EventTarget {
  #ahead;
  // Whether it was found gone at any time: for who listens later.
  isGone = false;

  // `ahead` are answers by their address that were asked for already.
  constructor(base, session, ahead = new Map()) {
    super();
    this.#ahead = ahead;
    this.base = base;
    this.session = session;
  }

  url(path, query) {
    const text = new URLSearchParams(query ?? {}).toString();
    return `${this.base}${path}${text ? `?${text}` : ""}`;
  }

  async json(path, options = {}) {
    return (await this.ask(this.url(path, options.query), options)).json();
  }

  // Asks before anybody wants the answer: who asks first for the same, without a bearer, gets it.
  ahead(path) {
    const url = this.url(path);
    this.#ahead.set(url, fetch(url).catch(() => null));
  }

  // An answer that nobody wanted at once would be an old one.
  forget() { this.#ahead.clear(); }

  async post(path) { return this.json(path, { method: "POST" }); }

  // The same resource, whose address has `path` in it, under our own origin, whatever host the server believes to have.
  own(url, path) { return this.base + url.slice(url.indexOf(path)); }

  // Returns a good response. The session's bearer that is no longer good is renewed where it can be, once, and else ends the
  // session; others' tokens are their own affair.
  async ask(url, { method = "GET", signal, bearer = this.session.bearer, body, last = false } = {}) {
    const { visit } = this.session;
    const ours = bearer && bearer === this.session.bearer;
    const headers = { ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}), ...(body ? { "Content-Type": "application/json" } : {}) };
    const response = (method === "GET" && !bearer && await this.#taken(url)) || await this.patiently(url, { method, headers, signal, body: body && JSON.stringify(body) });
    if (response.ok) return response;
    const refusal = await refused(response);
    if (response.status === 401 && ours && visit === this.session.visit) {
      if (!last && await this.#another(bearer)) return this.ask(url, { method, signal, body, last: true });
      if (bearer === this.session.bearer) this.session.end(true);
    }
    throw refusal;
  }

  // Whether the session has another bearer than the one that was refused, or gets one.
  async #another(bearer) {
    return bearer !== this.session.bearer || this.session.renewed().catch(() => false);
  }

  async #taken(url) {
    const asked = this.#ahead.get(url);
    this.#ahead.delete(url);
    const response = await asked;
    return response && !BUSY.includes(response.status) ? response : null;
  }

  // Returns a response, after a busy server was given the time that it asked for.
  async patiently(url, options) {
    for (let left = TRIES; ; left -= 1) {
      let response;
      try {
        response = await fetch(url, options);
      } catch (error) {
        if (error.name === "AbortError") throw error;
        this.isGone = true;
        this.dispatchEvent(new Event("gone"));
        throw new Unreachable("The server does not answer.");
      }
      const wait = Number(response.headers.get("Retry-After"));
      if (left <= 1 || !BUSY.includes(response.status) || !wait || wait > LONGEST_WAIT_SECONDS) return response;
      await response.body?.cancel();
      await new Promise((resume) => setTimeout(resume, wait * 1000));
    }
  }
}

export async function refused(response) {
  try {
    return new Refused(response.status, await response.json());
  } catch {
    return new Refused(response.status, {});
  }
}
