// The button that puts the address of the view into the clipboard.

import { announce, icon } from "./dom.js";

const TOLD_MS = 2500;

// `remember` brings the address up to date.
export function offerLink(button, remember) {
  button.append(icon("link"));
  button.addEventListener("click", async () => {
    remember();
    try {
      await navigator.clipboard.writeText(location.href);
      button.replaceChildren(icon("check"));
      announce("The link is copied.");
    } catch {
      announce("The link is in the address bar.");
    }
    setTimeout(() => button.replaceChildren(icon("link")), TOLD_MS);
  });
}
