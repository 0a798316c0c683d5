// What the examples share: which dataset or collection is wanted, of which day, who asks, and what went wrong, said on the page.

const find = (id) => document.getElementById(id);
const api = new URL(document.documentElement.dataset.api, location.href).href;
let bearer = null;

// What stands in the address, after ? or #: dataset or collection, a tile token, parameters of style.
function given() {
  const found = new URLSearchParams(location.search);
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) found.append(name, value);
  return found;
}

// Returns the path of what the address names, a dataset or a whole collection; null where it names neither.
function named() {
  for (const kind of ["dataset", "collection"]) if (given().has(kind)) return `${kind}s/${encodeURIComponent(given().get(kind))}`;
  return null;
}

// Returns the address of a TileJSON or WMTS document below a path, with style and tile token.
function address(path, file) {
  const query = given();
  query.delete("dataset");
  query.delete("collection");
  const text = query.toString();
  return `${api}/${path}/${file}${text ? `?${text}` : ""}`;
}

// Returns the address of a day's tiles of a collection; of all its days where the day is none.
export const ofDay = (url, day) => (day ? `${url}${url.includes("?") ? "&" : "?"}time=${day}` : url);

// Returns a good answer; throws an Error with the gateway's own words.
async function ask(url) {
  const response = await fetch(url, { headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
  if (response.ok) return response;
  const { detail, title } = await response.json().catch(() => ({}));
  const error = new Error(detail ?? title ?? `The gateway answered ${response.status}.`);
  // A dataset that may not be seen is answered like one that is not there.
  error.hidden = response.status === 401 || response.status === 403 || /^There is no such (dataset|layer)/.test(detail ?? "");
  throw error;
}

function tell(text) {
  find("told").hidden = !text;
  find("told").textContent = text;
}

async function fill(wanted) {
  const asked = [ask(`${api}/datasets?sortby=title&limit=200`), ask(`${api}/stac/collections?limit=200`)];
  const [{ datasets }, { collections }] = await Promise.all(asked.map(async (answer) => (await answer).json()));
  const known = [...datasets.map(({ id, title }) => [`datasets/${id}`, title]), ...collections.map(({ id, title }) => [`collections/${id}`, `All of ${title || id}`])];
  if (wanted && !known.some(([path]) => path === wanted)) known.unshift([wanted, decodeURIComponent(wanted.split("/")[1])]);
  find("dataset").replaceChildren(...known.map(([path, title]) => option(path, title)));
  find("dataset").value = wanted ?? known[0]?.[0] ?? "";
}

const option = (value, textContent) => Object.assign(document.createElement("option"), { value, textContent });

// Offers the days of a collection, the newest first.
function offerDays(days) {
  find("days").hidden = days.length < 2;
  find("day").replaceChildren(option("", "All days"), ...days.map((day) => option(day, day)));
}

// Draws what is chosen, now and after each choice: `draw` gets the answer that has the document `file`. It returns how to end the
// map, and of a collection the days and how to show one, null for all.
export function example(file, draw) {
  const nothing = { end: () => {}, days: [], show: () => {} };
  let shown = nothing;
  let turn = Promise.resolve();
  // One after the other: a map is whole before the next takes its place.
  const show = () => (turn = turn.then(drawChosen));
  async function drawChosen() {
    shown.end();
    tell("");
    delete document.body.dataset.drawn;
    const path = find("dataset").value;
    try {
      if (!path) throw new Error("There is no public dataset here: an access token shows the others.");
      shown = await draw(await ask(address(path, file)), () => { document.body.dataset.drawn = "yes"; });
      offerDays(shown.days);
    } catch (error) {
      shown = nothing;
      offerDays([]);
      tell(`${error.message} ${!error.hidden || bearer || given().has("token") ? "" : "What is not public needs an access token, or a tile token in the address."}`);
    }
  }
  async function begin() {
    try {
      await fill(find("dataset").value || named());
      await show();
    } catch (error) {
      tell(error.message);
    }
  }
  find("dataset").addEventListener("change", () => {
    // Another dataset has another token, and values of its own.
    history.replaceState(null, "", `${location.pathname}#${find("dataset").value.replace("s/", "=")}`);
    show();
  });
  find("day").addEventListener("change", () => {
    delete document.body.dataset.drawn;
    shown.show(find("day").value || null);
  });
  find("signin").addEventListener("submit", (event) => {
    event.preventDefault();
    bearer = find("bearer").value.trim() || null;
    begin();
  });
  begin();
}
