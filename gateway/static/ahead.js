// What the usual list is asked for, before any other script has come; a link asks for something else.

import { landed } from "./landing.js";

// As pages.js and collections.js ask, so that their answers are these.
const USUAL = ["/datasets?limit=50&offset=0&sortby=title", "/stac/collections?limit=200"];

export const base = new URL(document.documentElement.dataset.api, location.href).pathname.replace(/\/$/, "");
// Answers by their address, null for one that did not come.
export const asked = new Map();

// Whoever comes back from an issuer is somebody else in a moment.
if (!location.hash && !landed) for (const path of USUAL) asked.set(base + path, fetch(base + path).catch(() => null));
