// What is known of a dataset, and what the check found, in words.

import { make } from "./dom.js";
import { WHO, bytes, day, number, place, whole } from "./format.js";

const DEPTHS = {
  header: "Its header was read: every directory, and where every block lies.",
  blocks: "Its header was read, and the frame of every block.",
  full: "Its header was read, and every block was decoded.",
};

export function drawFacts(box, record, info) {
  const [west, south, east, north] = record.bounds ?? [];
  const nodata = record.nodata == null ? null : number(Number(record.nodata));
  const rows = [
    ["Size of the file", bytes(record.size_bytes)],
    ["Pixels", record.width && `${whole(record.width)} × ${whole(record.height)}`],
    ["Bands", record.count && `${record.count}, ${record.dtype}`],
    ["No data", nodata],
    ["Overviews", info?.overviews && (info.overviews.length ? info.overviews.map((each) => `1:${each}`).join(", ") : "none")],
    ["Coordinates", record.crs],
    ["From", record.bounds && place(west, south)],
    ["To", record.bounds && place(east, north)],
    ["To be seen by", WHO[record.visibility]],
    ["To be downloaded by", WHO[record.download]],
    ["Owner", record.owner],
    ["Updated", day(record.updated_at)],
    ["SHA-256", record.sha256 && make("code", {}, record.sha256)],
    ["Id", make("code", {}, record.id)],
  ];
  box.replaceChildren(...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
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
