// The head of a dataset: its name, the facts that matter first, and whether its file can be had.

import { Refused } from "./api.js";
import { find } from "./dom.js";
import { ALTERED, GONE } from "./download.js";
import { named, resolution } from "./format.js";
import { badge, badges } from "./items.js";
import { crs, drawFacts, drawVerdict } from "./report.js";

// Why nobody can have the file, or null: it is gone, or no true COG.
export function missingFile(info, report) {
  if (!report.valid) return ALTERED;
  if (!(info instanceof Refused)) return null;
  if (info.status === 404) return GONE;
  return info.problem.type === "/problems/not-a-cog" ? ALTERED : null;
}

// Returns a refusal to open a file that is gone or no true COG any more: it has a record and a report, and nothing to draw.
export function unreadable(error) {
  if (error instanceof Refused && [404, 422, 503].includes(error.status)) return error;
  throw error;
}

// Why there is no picture of it, or null.
export function undrawable({ dtype }) {
  if (!dtype?.startsWith("complex")) return null;
  return { title: "This data type cannot be shown as a picture.", hint: `Its values are ${dtype}: pairs of numbers. Download the file to work with them.` };
}

export function describe(record, info, report, missing) {
  const { name, folder } = named(record);
  find("dataset-head").hidden = find("dataset-body").hidden = false;
  Object.assign(find("title"), { textContent: name, title: record.title });
  find("folder").textContent = folder;
  find("folder").hidden = !folder;
  const bands = record.count > 1 ? `${record.count} × ${record.dtype}` : record.dtype;
  find("key-facts").textContent = [bands, resolution(record, info), crs(record, info)].filter(Boolean).join(" · ");
  const verdict = missing === GONE ? badge("file is gone", "bad") : missing ? badge("not a COG", "bad") : badge("Valid COG", "good", "check");
  find("badges").replaceChildren(verdict, ...badges({ ...record, count: 1 }));
  drawFacts(find("facts"), record, info);
  drawVerdict(find("verdict"), report);
  document.title = `${record.title} · COG Gateway`;
}
