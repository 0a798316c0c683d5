// Dialogs that stand beside what is shown: help, and links to share.

import { find, icon } from "./dom.js";

export function offerHelp() {
  find("help-open").append(icon("help"));
  find("help-open").addEventListener("click", () => find("help").showModal());
  find("help-close").append(icon("close"));
  find("help-close").addEventListener("click", () => find("help").close());
}

// Offers the links of the dataset that `described` returns; their dialog is loaded when it is wanted.
export function offerLinks(api, described) {
  let links = null;
  find("links-open").addEventListener("click", async () => {
    const { LinksDialog } = await import("./links.js");
    links ??= new LinksDialog(api);
    links.show(described());
  });
}
