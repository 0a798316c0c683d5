// The collections of which the visitor may see a dataset, with their extents as this visitor has them.

const LIMIT = 200;
const MOST = 5000;

export class Collections {
  #loading = null;
  all = [];

  constructor(api) { this.api = api; }

  // Forgets what another visitor saw.
  forget() {
    this.#loading?.asking.abort();
    this.#loading = null;
    this.all = [];
  }

  // Returns when they are there; asked once until they are wanted `anew`. Rejects as the API does.
  load(anew = false) {
    if (this.#loading && !anew) return this.#loading.done;
    this.#loading?.asking.abort();
    const asking = new AbortController();
    const loading = this.#loading = { asking, done: this.#read(asking.signal) };
    loading.done.catch(() => { if (this.#loading === loading) this.#loading = null; });
    return loading.done;
  }

  async one(id, signal) { return seen(await this.api.json(`/stac/collections/${id}`, { signal })); }

  // Those whose title, id or keywords have the text, and whose extent meets the time and the box; null is any.
  matching({ q = "", from = null, to = null, box = null }) {
    const text = q.toLowerCase();
    return this.all.filter((each) => {
      const named = [each.title, each.id, ...each.keywords].some((word) => word.toLowerCase().includes(text));
      const timed = (!from || (each.end && each.end.slice(0, 10) >= from)) && (!to || (each.start && each.start.slice(0, 10) <= to));
      return named && timed && (!box || (each.bbox && meet(each.bbox, box)));
    });
  }

  async #read(signal) {
    const found = [];
    for (let token = null, more = true; more && found.length < MOST;) {
      const page = await this.api.json("/stac/collections", { query: token ? { limit: LIMIT, token } : { limit: LIMIT }, signal });
      found.push(...page.collections.map(seen));
      const next = page.links.find(({ rel }) => rel === "next");
      token = next && new URL(next.href).searchParams.get("token");
      more = Boolean(token);
    }
    this.all = found.sort((one, other) => one.title.localeCompare(other.title, undefined, { numeric: true }));
  }
}

// What the page needs of a collection; a box is west, south, east, north in degrees.
function seen({ id, title, description, license, keywords = [], extent, links, "gateway:count": count, "gateway:shareable": shareable = false }) {
  const [[start, end]] = extent.temporal.interval;
  const text = description === title || description === id ? "" : description;
  const tilejson = links.find(({ rel }) => rel === "tilejson")?.href;
  return { id, title: title || id, text, license, keywords, count, start, end, bbox: tilejson ? extent.spatial.bbox[0] : null, tilejson, shareable };
}

// Whether two boxes meet; either may cross the antimeridian.
function meet(one, other) {
  if (one[1] > other[3] || other[1] > one[3]) return false;
  const spans = ([west, , east]) => (west > east ? [[west, 180], [-180, east]] : [[west, east]]);
  return spans(one).some(([west, east]) => spans(other).some(([left, right]) => west <= right && left <= east));
}
