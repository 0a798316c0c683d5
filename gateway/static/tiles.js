// The tiles of one dataset or layer in one style: TileJSON, its token, and a new one when the old has expired.

import { Refused, Unreachable, refused } from "./api.js";

export class TileFeed {
  #renewing = null;

  // `path` is that of the dataset or layer; `heard` gets each good answer that is a tile.
  constructor(api, path, query, heard = () => {}) {
    Object.assign(this, { api, path, query, heard });
    this.token = null;
  }

  // Returns the TileJSON, its template under our own origin.
  async open(signal) {
    const document = await this.api.json(`${this.path}/tilejson.json`, { query: this.query, signal });
    const template = this.api.own(document.tiles[0], this.path);
    this.token = tokenOf(template);
    return { ...document, template };
  }

  // Returns the picture at the URL, or null for an empty one.
  async picture(url) {
    const used = this.token;
    const response = await this.api.patiently(withToken(url, used), {});
    if (response.status === 401 && used) {
      await response.body?.cancel();
      await this.renew(used);
      return this.#taken(await this.api.patiently(withToken(url, this.token), {}));
    }
    return this.#taken(response);
  }

  // Many tiles expire together: one of them renews for all.
  async renew(used) {
    if (this.token !== used) return;
    this.#renewing ??= this.open().finally(() => { this.#renewing = null; });
    await this.#renewing;
  }

  async #taken(response) {
    if (response.status === 204) return null;
    if (!response.ok) throw await refused(response);
    this.heard(response);
    return response.blob();
  }
}

const tokenOf = (url) => new URL(url, location).searchParams.get("token");

function withToken(url, token) {
  return token ? url.replace(/([?&]token=)[^&]*/, `$1${encodeURIComponent(token)}`) : url;
}

// An OpenLayers tile loader over a feed; `failed` hears of what no new token mends.
export function loader(feed, failed) {
  return async (tile, source) => {
    try {
      const blob = await feed.picture(source);
      const image = tile.getImage();
      if (blob === null) return tile.setImage(document.createElement("canvas"));
      const url = URL.createObjectURL(blob);
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.src = url;
    } catch (error) {
      tile.setState(3);
      if (error instanceof Refused || error instanceof Unreachable) failed(error);
      else throw error;
    }
  };
}
