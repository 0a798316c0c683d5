// The file that a page was opened for, by a link to it: what to do next, until it is saved or cannot be had.

export const SAVE = "save";
export const SIGN_IN = "sign in";

export class Wanted {
  #led;

  // `id` is that of the dataset, null without one; `led` whether the visitor has been led to sign in already.
  constructor(id, led) {
    this.id = id;
    this.#led = led;
  }

  // Of a dataset that is described on the page; `reason` is why this visitor cannot have the file, if so.
  described(record, reason, anonymous) {
    if (record.id !== this.id) return null;
    if (!reason && !record.downloadable && anonymous) return this.#signIn();
    this.id = null;
    return reason ? null : SAVE;
  }

  // Of one that was refused: one that is hidden and one that is not there look alike.
  refused(id, status, anonymous) {
    if (id !== this.id) return null;
    if (anonymous) return status === 404 ? this.#signIn() : null;
    this.id = null;
    return null;
  }

  // Who comes back as a stranger gets the page's own words and buttons: nobody is led in a circle.
  #signIn() {
    if (this.#led) return null;
    this.#led = true;
    return SIGN_IN;
  }
}
