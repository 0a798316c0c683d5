// Where the parts of the viewer meet: what is chosen, what is shown, and what happens when something fails.

import { Account } from "./account.js";
import { Refused, Unreachable, datasetPath } from "./api.js";
import { Browsing } from "./browse.js";
import { titleOf } from "./collectionhead.js";
import { offerLink } from "./copylink.js";
import { offerAll, offerHelp, offerLinks, offerUse } from "./dialogs.js";
import { DirectSource } from "./direct.js";
import { Download } from "./download.js";
import { announce, debounced, find, showState, tablist } from "./dom.js";
import { api, begun, catalogue, closed, landed, listed, page, session } from "./first.js";
import { FilesHere } from "./files.js";
import { Footprints } from "./footprints.js";
import { named, plain } from "./format.js";
import { Ground } from "./ground.js";
import { describe, missingFile, undrawable, unreadable } from "./head.js";
import { Inspector } from "./inspect.js";
import { CollectionLayer } from "./layer.js";
import { drawLegend } from "./legend.js";
import { DatasetMap } from "./map.js";
import { Outage } from "./outage.js";
import { Popup } from "./popup.js";
import * as share from "./share.js";
import { Sheet } from "./sheet.js";
import { failedDataset } from "./states.js";
import { StyleControls } from "./style.js";
import { Unplaced } from "./unplaced.js";
import { UseDialog, ofDataset, ofLayer } from "./use.js";
import { Wanted } from "./wanted.js";

const { geotiff, proj, land } = document.querySelector("script[data-geotiff]").dataset;
const map = new DatasetMap(api);
const ground = new Ground(map.map, find("attribution"));
const footprints = new Footprints(map.map);
const style = new StyleControls(api);
const account = new Account(api, { issuer: page.issuer, place: () => { remember(); return location.hash; }, tell: (...told) => outage.tell(...told) });
const download = new Download(api, account, new Wanted(begun.download ? begun.dataset : null, Boolean(landed)));
const direct = new DirectSource(api, map, [geotiff, proj]);
const unplaced = new Unplaced(api);
const popup = new Popup(map.map);
const inspector = new Inspector(api, popup);
const files = new FilesHere(api, popup, { open: (id) => enter(`dataset:${id}`), light: (id) => footprints.light(id && `dataset:${id}`) });
const use = new UseDialog(api);
const sheet = new Sheet(() => catalogue.listing.resume());
const browsing = new Browsing(catalogue, map, footprints, () => Boolean(chosen.id));
const layer = new CollectionLayer(catalogue, map, footprints, style, () => Boolean(chosen.id));
const selectPart = tablist(find("parts"), (id) => {
  for (const part of ["style", "details", "report"]) find(part).hidden = `tab-${part}` !== id;
});
// What is chosen: an id, its record once it is described and once it is drawn, how it is drawn, the place of the map that it was chosen from;
// `run` tells late answers from wanted ones.
const chosen = { id: null, described: null, record: null, info: null, wish: {}, how: "tiles", run: 0, returning: null, from: null };

async function choose(id, { wanted = share.PLAIN, at = null, how = "tiles", focus = false } = {}) {
  const run = chosen.run += 1;
  Object.assign(chosen, { id, described: null, record: null, how: "tiles", wish: { wanted, at, how } });
  leave();
  open(id);
  try {
    const path = datasetPath(id);
    const [record, info, report] = await Promise.all([api.json(path), api.json(`${path}/info`).catch(unreadable), api.json(`${path}/validation`)]);
    if (run !== chosen.run) return;
    begin(record, info, report, at);
    if (focus) find("title").focus();
    if (missingFile(info, report)) return footprints.alone(record);
    if (info instanceof Error) throw info;
    const reason = undrawable(record);
    if (reason) {
      footprints.alone(record);
      return showState(find("dataset-state"), reason);
    }
    find("tab-style").hidden = false;
    selectPart("tab-style");
    await style.begin({ path, name: named(record).name, title: record.title, dtype: record.dtype, info }, wanted, find("style"));
    if (run !== chosen.run) return;
    Object.assign(chosen, { record, info, how });
    await draw();
    announce(`${record.title} is shown.`);
  } catch (error) {
    if (run === chosen.run) fail(error, id, chosen.wish);
  }
}

function begin(record, info, report, at) {
  showState(find("dataset-state"), {});
  const missing = missingFile(info, report);
  chosen.described = record;
  describe(record, info instanceof Error ? null : info, report, missing);
  download.show(record, missing);
  find("links-open").hidden = !record.shareable;
  find("use-open").hidden = Boolean(missing) || Boolean(undrawable(record));
  ground.below(record.id);
  if (at) map.go(at);
  map.home = record.bounds;
  if (!at && record.bounds) map.fit(record.bounds);
  find("tab-style").hidden = true;
  selectPart(report.valid ? "tab-details" : "tab-report");
}

function leave() {
  use.drop();
  layer.drop();
  map.clear();
  map.home = null;
  ground.below(null);
  popup.close();
  for (const drawn of [direct, unplaced]) drawn.clear();
  drawLegend(find("legend"), null);
  find("how").hidden = true;
}

function open(id) {
  find("catalogue").hidden = Boolean(id);
  find("dataset").hidden = !id;
  find("dataset-head").hidden = find("dataset-body").hidden = true;
  footprints.quiet = Boolean(id);
  find("back-to").textContent = plain(catalogue.seen?.title ?? "All datasets");
  sheet.show(id ? "dataset" : "list");
  showState(find("dataset-state"), id ? { title: "Loading the dataset …", busy: true } : {});
}

async function draw() {
  const { record, info, how } = chosen;
  if (!record) return;
  try {
    find(how === "direct" ? "how-direct" : "how-tiles").checked = true;
    if (!record.bounds) await unplaced.show(record, style.query, style.state.opacity);
    else if (how === "direct") await direct.show(record, info, style);
    else {
      direct.clear();
      await map.show(record, style.query, style.state.opacity);
    }
    if (record !== chosen.record) return;
    find("how").hidden = !record.bounds;
    drawLegend(find("legend"), style.ramp);
    remember();
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

const redraw = () => draw().catch((error) => fail(error, chosen.id, chosen.wish));

function fail(error, id, again) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  download.refused(id, error);
  // The outage's end brings back what was not reached.
  if (error instanceof Refused) chosen.returning = again;
  const circumstances = { known: !find("dataset-body").hidden, anonymous: !session.bearer };
  showState(find("dataset-state"), failedDataset(error, circumstances, { signIn: () => account.open(), again: () => choose(id, again) }));
}

function close() {
  const last = chosen.id;
  chosen.run += 1;
  Object.assign(chosen, { id: null, described: null, record: null, returning: null });
  leave();
  open(null);
  browsing.settle();
  layer.follow();
  document.title = titleOf(catalogue.seen);
  catalogue.focus(last && `dataset:${last}`);
}

// Has the map show what the list does.
function shown(fresh) {
  browsing.outline(fresh);
  layer.follow();
}

// The address of what is shown now.
function here() {
  return chosen.id ? share.written({ dataset: chosen.id, download: download.wants(chosen.id), how: chosen.how, at: map.at, style: style.state }) : share.writtenList({ ...catalogue.state, ...layer.state }, map.at);
}

function remember() {
  if (chosen.id && !chosen.record) return;
  const hash = here();
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
}

// A step that the browser's Back undoes.
const step = (hash) => history.pushState(null, "", hash || location.pathname + location.search);

// Opens what the visitor chose, a dataset or a collection, by its key; the list that was left is as it was.
async function enter(key) {
  const [kind, id] = key.split(":");
  if (kind === "collection") return into(id);
  download.forget();
  remember();
  chosen.from = catalogue.state.near ? map.at : null;
  step(share.written({ dataset: id }));
  return choose(id, { focus: true });
}

// Goes into a collection, or with null back to all of them.
async function into(id) {
  const last = catalogue.state.collection;
  remember();
  step(location.hash);
  layer.restore({ ...layer.state, day: null }, share.PLAIN);
  await catalogue.enter(id);
  catalogue.focus(id ? null : `collection:${last}`);
}

function restore() {
  const { dataset, how, at, link, list, style: wanted } = share.read(location.hash);
  // Another link is another caller: everything is asked for anew.
  if (link && link !== begun.link) return location.reload();
  if (dataset) return choose(dataset, { wanted, at, how });
  if (list.near && at) map.go(at);
  layer.restore(list, wanted);
  const current = catalogue.restore(list);
  layer.follow();
  if (chosen.id) close();
  return current ? null : catalogue.load(list.row);
}

const outage = new Outage(() => {
  catalogue.load();
  ground.refresh();
  if (chosen.id && !chosen.record) choose(chosen.id, chosen.wish);
  else map.refresh();
});
const missed = debounced((error) => outage.tell(`Some of the map is missing. ${error.message}`, "Try again", () => { outage.tell(""); map.refresh(); }), 300);

catalogue.addEventListener("choose", ({ detail }) => enter(detail));
catalogue.addEventListener("leave", () => into(null));
catalogue.addEventListener("signin", () => account.open());
catalogue.listing.addEventListener("scrolled", remember);
catalogue.addEventListener("shown", ({ detail }) => { shown(detail.fresh); remember(); });
layer.addEventListener("change", () => { popup.close(); remember(); });
// Map and controls are seen together.
layer.addEventListener("styling", () => { if (sheet.height === "full") sheet.height = "half"; });
style.addEventListener("change", redraw);
style.addEventListener("opacity", () => { map.setOpacity(style.state.opacity); unplaced.setOpacity(style.state.opacity); remember(); });
map.addEventListener("moved", () => { catalogue.moved(); remember(); });
map.addEventListener("failed", ({ detail }) => { if (!(detail instanceof Unreachable) && detail.status !== 401) missed(detail); });
map.addEventListener("point", ({ detail }) => {
  if (layer.isShown) return files.show(layer.path, layer.query, detail);
  if (map.record) return inspector.show(map.record, detail);
  const key = footprints.at(detail.coordinate);
  if (key) enter(key);
});
api.addEventListener("gone", () => outage.begin());
session.addEventListener("change", ({ detail }) => {
  if (detail.expired) outage.tell("Your sign-in has expired.", "Sign in", () => { outage.tell(""); account.open(); });
  else outage.tell("");
  share.carry(session.link);
  catalogue.change();
  const again = chosen.returning ?? { wanted: chosen.record ? style.state : share.PLAIN, at: chosen.record ? map.at : null, how: chosen.how };
  chosen.returning = null;
  if (chosen.id) choose(chosen.id, again);
});
find("back").addEventListener("click", () => {
  if (chosen.from) map.go(chosen.from);
  close();
  step(here());
});
offerLink(find("share"), remember);
offerLinks(api, () => chosen.described, () => catalogue.seen);
offerAll(api, catalogue, () => account.open());
// Before there is a style on screen the lines have none.
offerUse(use, outage, "use-open", () => [ofDataset(chosen.described), chosen.record ? style.query : []]);
offerUse(use, outage, "layer-use", () => [ofLayer(catalogue.seen, layer.elsewhere.isPublic), layer.elsewhere.query]);
find("how").addEventListener("change", ({ target }) => { chosen.how = target.value; redraw(); });
offerHelp();
addEventListener("popstate", restore);

const optional = (error) => { if (!(error instanceof Refused || error instanceof Unreachable)) throw error; };

// What the visitor came for is first: the list, which has begun, or a dataset whole and then the list. The ground follows.
async function start() {
  try {
    if (api.isGone) outage.begin();
    if (closed) outage.tell(closed, "Sign in", () => { outage.tell(""); account.open(); });
    if (begun.list.near && begun.at) map.go(begun.at);
    layer.restore(begun.list, begun.dataset ? share.PLAIN : begun.style);
    if (catalogue.isCurrent) shown(true);
    if (catalogue.chosen) await enter(catalogue.chosen);
    else if (begun.dataset) await restore();
  } finally {
    await map.soonDrawn();
    await (listed ?? catalogue.load(begun.list.row));
    api.forget();
    if (page.basemap) ground.useTemplate(page.basemap, page.attribution);
    await Promise.all([page.basemap ? null : ground.findMarble(api), ground.findLand(land)]).catch(optional);
    if (ground.hasPicture) map.offerGround(ground);
  }
}

start();
