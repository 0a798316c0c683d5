// Where the parts of the viewer meet: what is chosen, what is shown, and what happens when something fails.

import { Account } from "./account.js";
import { Api, Refused, Unreachable } from "./api.js";
import { Catalogue } from "./catalogue.js";
import { DirectView } from "./direct.js";
import { Download } from "./download.js";
import { announce, debounced, find, showState } from "./dom.js";
import { Inspector } from "./inspect.js";
import { drawLegend } from "./legend.js";
import { DatasetMap } from "./map.js";
import { drawFacts, drawVerdict } from "./report.js";
import { Session } from "./session.js";
import * as share from "./share.js";
import { StyleControls } from "./style.js";

const PLAIN = { bands: null, range: null, colors: null, opacity: 1 };
const WAITS_SECONDS = [1, 2, 4, 8, 15];
const session = new Session();
const api = new Api(new URL(document.documentElement.dataset.api, location.href).pathname.replace(/\/$/, ""), session);
const map = new DatasetMap(api);
const style = new StyleControls(api);
const catalogue = new Catalogue(api, () => map.extent);
const account = new Account(api);
const download = new Download(api, () => account.open());
const direct = new DirectView(api, document.querySelector("script[data-geotiff]").dataset.geotiff);
const inspector = new Inspector(api, map);
// What is chosen: an id, its record once it is known, the tab; `run` tells late answers from wanted ones.
const chosen = { id: null, record: null, wish: {}, tab: "tiles", run: 0, returning: null };

async function choose(id, { wanted = PLAIN, at = null, tab = "tiles", focus = false } = {}) {
  const run = chosen.run += 1;
  chosen.wish = { wanted, at, tab };
  Object.assign(chosen, { id, record: null, tab: "tiles" });
  catalogue.choose(id);
  leave();
  open(id);
  try {
    const record = await api.json(`/datasets/${id}`);
    const [info, report] = await Promise.all([api.json(`/datasets/${id}/info`).catch(drawnWithout), api.json(`/datasets/${id}/validation`)]);
    if (run !== chosen.run) return;
    describe(record, info, report);
    if (at) map.go(at);
    else if (record.bounds) map.fit(record.bounds);
    if (focus) find("title").focus();
    if (!info) throw new Unreachable("The file of this dataset cannot be read now.");
    await style.begin(record, info, wanted);
    if (run !== chosen.run) return;
    chosen.record = record;
    await draw();
    find("tabs").hidden = false;
    setTab(tab);
    announce(`${record.title} is shown.`);
  } catch (error) {
    if (run === chosen.run) fail(error, id, chosen.wish);
  }
}

// A dataset that is no true COG any more has a record and a report, and nothing to draw.
function drawnWithout(error) {
  if (error instanceof Refused && [404, 422, 503].includes(error.status)) return null;
  throw error;
}

function leave() {
  map.clear();
  inspector.close();
  direct.clear();
  drawLegend(find("legend"), null);
  find("tabs").hidden = true;
  showTab("tiles");
}

function open(id) {
  find("catalogue").hidden = Boolean(id);
  find("dataset").hidden = !id;
  find("dataset-body").hidden = true;
  document.body.classList.toggle("has-dataset", Boolean(id));
  showState(find("dataset-state"), id ? { title: "Loading the dataset …", busy: true } : {});
}

function describe(record, info, report) {
  showState(find("dataset-state"), {});
  find("dataset-body").hidden = false;
  find("title").textContent = record.title;
  find("style").hidden = !info;
  find("badges").replaceChildren(...[record.visibility, report.valid ? "true COG" : "not a COG"].map(badge));
  drawFacts(find("facts"), record, info);
  drawVerdict(find("verdict"), report);
  download.show(record);
  document.title = `${record.title} · COG Gateway`;
}

function badge(text) {
  const node = document.createElement("span");
  node.className = `badge badge-${text.replaceAll(" ", "-")}`;
  node.textContent = text;
  return node;
}

async function draw() {
  const { record } = chosen;
  if (!record) return;
  try {
    await map.show(record, style.query, style.state.opacity);
    drawLegend(find("legend"), style.ramp);
    if (chosen.tab === "direct") await direct.show(record, style);
    remember();
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function fail(error, id, again) {
  if (error.name === "AbortError") return;
  const retry = { action: "Try again", run: () => choose(id, again) };
  if (error instanceof Unreachable) return showState(find("dataset-state"), { title: error.message, ...retry });
  if (!(error instanceof Refused)) throw error;
  chosen.returning = again;
  if (error.status === 401) return showState(find("dataset-state"), { title: "Your sign-in has expired.", action: "Sign in", run: () => account.open() });
  if (![403, 404, 422].includes(error.status)) return showState(find("dataset-state"), { title: "The dataset cannot be shown now.", hint: error.message, ...retry });
  if (find("dataset-body").hidden === false) return showState(find("dataset-state"), { title: "It cannot be drawn on a map.", hint: error.message });
  const hint = session.bearer ? "It may have been removed, or it is not shared with you." : "It may have been removed, or it is for those who sign in.";
  showState(find("dataset-state"), { title: "There is no such dataset for you.", hint, ...(session.bearer ? {} : { action: "Sign in", run: () => account.open() }) });
}

function close() {
  const last = chosen.id;
  chosen.run += 1;
  Object.assign(chosen, { id: null, record: null, returning: null });
  leave();
  open(null);
  catalogue.choose(null);
  document.title = "COG Gateway";
  history.replaceState(null, "", location.pathname);
  find("list").querySelector(`[data-id="${CSS.escape(last ?? "")}"]`)?.focus();
}

function showTab(tab) {
  for (const name of ["tiles", "direct"]) {
    const here = name === tab;
    find(`${name}-view`).hidden = !here;
    find(`tab-${name}`).setAttribute("aria-selected", String(here));
    find(`tab-${name}`).tabIndex = here ? 0 : -1;
  }
}

function setTab(tab) {
  chosen.tab = tab;
  showTab(tab);
  if (tab === "direct" && chosen.record) direct.show(chosen.record, style);
  if (tab === "tiles") map.map.updateSize();
  remember();
}

function remember() {
  if (!chosen.record) return;
  const hash = share.written({ dataset: chosen.id, tab: chosen.tab, at: map.at, style: style.state });
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

function restore() {
  const { dataset, tab, at, style: wanted } = share.read(location.hash);
  if (dataset) choose(dataset, { wanted, at, tab });
  else if (chosen.id) close();
}

async function copyLink() {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    find("share").textContent = "Copied";
    announce("The link is copied.");
  } catch {
    find("share").textContent = "It is in the address bar";
  }
  setTimeout(() => { find("share").textContent = "Copy link"; }, 2500);
}

function tell(text, action, run) {
  find("banner").hidden = !text;
  find("banner-text").textContent = text;
  find("banner-retry").hidden = !action;
  find("banner-retry").textContent = action ?? "";
  find("banner-retry").onclick = run ?? null;
}

const outage = { waking: null };

// Asks until the server is back, less and less often, and then for what is missing.
async function outlast() {
  if (outage.waking) return;
  for (let tries = 0; ; tries += 1) {
    const wait = WAITS_SECONDS[Math.min(tries, WAITS_SECONDS.length - 1)];
    tell("The server does not answer. Trying again …", "Try now", () => outage.waking?.());
    await new Promise((resolve) => { outage.waking = resolve; setTimeout(resolve, wait * 1000); });
    if (await alive()) break;
  }
  outage.waking = null;
  tell("");
  announce("The server is back.");
  catalogue.load();
  if (chosen.id && !chosen.record) choose(chosen.id, chosen.wish);
  else map.refresh();
}

async function alive() {
  try {
    return (await fetch("livez", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

const missed = debounced((error) => tell(error instanceof Unreachable ? error.message : `Some of the map is missing. ${error.message}`, "Try again", () => { tell(""); map.refresh(); }), 300);

catalogue.addEventListener("choose", ({ detail }) => choose(detail, { focus: true }));
style.addEventListener("change", () => draw().catch((error) => fail(error, chosen.id, chosen.wish)));
style.addEventListener("opacity", () => { map.setOpacity(style.state.opacity); direct.setOpacity(style.state.opacity); remember(); });
map.addEventListener("moved", () => { catalogue.moved(); remember(); });
map.addEventListener("failed", ({ detail }) => { if (!(detail instanceof Unreachable) && detail.status !== 401) missed(detail); });
api.addEventListener("gone", () => outlast());
session.addEventListener("change", ({ detail }) => {
  if (detail.expired) tell("Your sign-in has expired.", "Sign in", () => { tell(""); account.open(); });
  else tell("");
  catalogue.load(0);
  const again = chosen.returning ?? { wanted: chosen.record ? style.state : PLAIN, at: chosen.record ? map.at : null, tab: chosen.tab };
  chosen.returning = null;
  if (chosen.id) choose(chosen.id, again);
});
find("back").addEventListener("click", close);
find("share").addEventListener("click", copyLink);
find("tab-tiles").addEventListener("click", () => setTab("tiles"));
find("tab-direct").addEventListener("click", () => setTab("direct"));
find("tabs").addEventListener("keydown", ({ key }) => {
  if (!["ArrowLeft", "ArrowRight"].includes(key)) return;
  setTab(chosen.tab === "tiles" ? "direct" : "tiles");
  find(`tab-${chosen.tab}`).focus();
});
addEventListener("hashchange", restore);

catalogue.load();
restore();
map.findGround().catch((error) => { if (!(error instanceof Refused || error instanceof Unreachable)) throw error; });
