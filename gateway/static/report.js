// What is known of a dataset, and what the check found, in words.

import { copyButton, icon, make } from "./dom.js";
import { WHO, bytes, day, days, extent, number, whole } from "./format.js";

const DEPTHS = {
  header: "Its header was read: every directory, and where every block lies.",
  blocks: "Its header was read, and the frame of every block.",
  full: "Its header was read, and every block was decoded.",
};

export function drawFacts(box, record, info) {
  const nodata = record.nodata == null ? null : number(Number(record.nodata));
  const rows = [
    ["Collection", make("a", { href: `#collection=${record.collection}` }, record.collection)],
    ["Date", [days(record.start_at, record.end_at), record.dated_by === "modified" ? "(of the file itself)" : ""].filter(Boolean).join(" ")],
    ["File size", bytes(record.size_bytes)],
    ["Pixels", record.width && `${whole(record.width)} × ${whole(record.height)}`],
    ["Bands", record.count && `${record.count}, ${record.dtype}`],
    ["No data", nodata],
    ["Overviews", info?.overviews && (info.overviews.length ? info.overviews.map((each) => `1:${each}`).join(", ") : "none")],
    ["CRS", crs(record, info)],
    ["Extent", record.bounds && extent(record.bounds)],
    ["Who can view", WHO[record.visibility]],
    ["Who can download", WHO[record.download]],
    ["Owner", record.owner],
    ["Updated", day(record.updated_at)],
    ["SHA-256", record.sha256 && copied(record.sha256, `${record.sha256.slice(0, 16)}…`, "Copy the SHA-256")],
    ["Id", copied(record.id, record.id, "Copy the id")],
  ];
  box.replaceChildren(...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

// "EPSG:32616, WGS 84 / UTM zone 16N"; what has no code has a name alone.
export function crs(record, info) {
  const code = /^EPSG:\d+$/.test(record.crs ?? "") ? record.crs : null;
  return [code, info?.crs_name].filter(Boolean).join(" ") || (record.crs ? "of its own" : null);
}

function copied(text, shown, label) {
  return make("span", { class: "copied" }, make("code", { title: text }, shown), copyButton(text, label, icon("copy")));
}

export function drawVerdict(box, report) {
  const { valid, depth, errors, warnings } = report;
  const verdict = valid ? "This is a true Cloud-Optimized GeoTIFF." : "This is no true Cloud-Optimized GeoTIFF. It is not handed out.";
  const parts = [make("p", { class: valid ? "verdict good" : "verdict bad" }, verdict), make("p", { class: "note" }, DEPTHS[depth] ?? "")];
  if (errors.length) parts.push(make("h3", {}, "What breaks the rules"), findings(errors));
  if (warnings.length) parts.push(make("h3", {}, "What could be better"), findings(warnings));
  if (valid && !warnings.length) parts.push(make("p", {}, "Every rule holds, and there is nothing to improve."));
  if (report.mend) parts.push(make("h3", {}, "What mends it"), make("pre", { tabindex: 0 }, report.mend));
  box.replaceChildren(...parts);
}

function findings(found) {
  return make("ul", { class: "findings" }, ...found.map((each) => make("li", {}, each.message, make("span", { class: "note" }, where(each)))));
}

function where({ rule, ifd, block, offset }) {
  const parts = [`rule ${rule}`, ifd != null && `directory ${ifd}`, block != null && `block ${block}`, offset != null && `byte ${whole(offset)}`];
  return ` (${parts.filter(Boolean).join(", ")})`;
}
