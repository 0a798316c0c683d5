// What the page shows first, while its other scripts still load: the list, or what the dataset of the link is asked for.

import { asked, base } from "./ahead.js";
import { Api, datasetPath } from "./api.js";
import { Catalogue } from "./catalogue.js";
import { landed } from "./landing.js";
import { openedBy } from "./opening.js";
import { Session } from "./session.js";
import { carry, read } from "./share.js";

export const page = document.documentElement.dataset;
export const session = new Session();
export const api = new Api(base, session, asked);
export const begun = read(location.hash);
export const catalogue = new Catalogue(api);

catalogue.restore(begun.list);
// Before anything is asked for: what a link or a sign-in gives nobody else may see.
export const closed = landed ? await arrived() : begun.link ? await openedBy(begun.link, api, session) : null;
carry(session.link);
if (begun.dataset && !session.bearer) {
  for (const part of ["", "/info", "/validation"]) api.ahead(`${datasetPath(begun.dataset)}${part}`);
  api.ahead("/colorMaps");
}
export { landed };
// The loading of the list when it has begun; a list of what the map shows has to wait for a map.
export const listed = begun.dataset || begun.list.near ? null : catalogue.load(begun.list.row);

async function arrived() {
  const { arrive } = await import("./signin.js");
  return arrive(api, session, landed);
}
