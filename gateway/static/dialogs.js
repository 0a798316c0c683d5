// Dialogs that stand beside what is shown: help, lines for other programs, links to share, and lists of many files.

import { Refused, Unreachable } from "./api.js";
import { find, icon } from "./dom.js";

export function offerHelp() {
  find("help-open").append(icon("help"));
  find("help-open").addEventListener("click", () => find("help").showModal());
  find("help-close").append(icon("close"));
  find("help-close").addEventListener("click", () => find("help").close());
}

// Offers the lines for other programs: `of` returns what they are for, and the parameters of its style.
export function offerUse(use, outage, button, of) {
  async function open() {
    const [subject, query] = of();
    try {
      await use.show(subject, query);
    } catch (error) {
      if (use.subject === subject && error instanceof Refused && error.status !== 401) outage.tell(`The lines to copy cannot be made. ${error.message}`, "Try again", () => { outage.tell(""); open(); });
      else if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    }
  }
  find(button).addEventListener("click", open);
}

// Offers a dialog by a button: it is loaded when it is wanted, and shows what `of` returns then.
function offered(button, load, of) {
  find(button).addEventListener("click", async () => (await load()).show(of()));
}

// Offers all files of the list that is shown.
export function offerAll(api, catalogue, signIn) {
  let dialog = null;
  const load = async () => {
    const { DownloadAll } = await import("./downloadall.js");
    return (dialog ??= new DownloadAll(api, signIn));
  };
  offered("take-all", load, () => catalogue.listed);
}

// Offers the links of a dataset, and of a collection.
export function offerLinks(api, dataset, collection) {
  let links = null;
  const load = async () => {
    const { LinksDialog } = await import("./links.js");
    return (links ??= new LinksDialog(api));
  };
  offered("links-open", load, () => ({ dataset: dataset().id }));
  offered("layer-links", load, () => ({ collection: collection().id }));
}
