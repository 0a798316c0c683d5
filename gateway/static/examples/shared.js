// What the examples share: which dataset is wanted, who asks, and what went wrong, said on the page.

const find = (id) => document.getElementById(id);
const api = new URL(document.documentElement.dataset.api, location.href).href;
let bearer = null;

// What stands in the address, after ? or #: dataset, a tile token, parameters of style.
function given() {
  const found = new URLSearchParams(location.search);
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) found.append(name, value);
  return found;
}

// Returns the address of a dataset's TileJSON or WMTS document, with style and tile token.
function address(id, file) {
  const query = given();
  query.delete("dataset");
  const text = query.toString();
  return `${api}/datasets/${encodeURIComponent(id)}/${file}${text ? `?${text}` : ""}`;
}

// Returns a good answer; throws an Error with the gateway's own words.
async function ask(url) {
  const response = await fetch(url, { headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
  if (response.ok) return response;
  const { detail, title } = await response.json().catch(() => ({}));
  const error = new Error(detail ?? title ?? `The gateway answered ${response.status}.`);
  // A dataset that may not be seen is answered like one that is not there.
  error.hidden = response.status === 401 || response.status === 403 || detail === "There is no such dataset.";
  throw error;
}

function tell(text) {
  find("told").hidden = !text;
  find("told").textContent = text;
}

async function fill(wanted) {
  const { datasets } = await (await ask(`${api}/datasets?sortby=title&limit=200`)).json();
  const options = datasets.map(({ id, title }) => Object.assign(document.createElement("option"), { value: id, textContent: title }));
  if (wanted && !datasets.some(({ id }) => id === wanted)) options.unshift(Object.assign(document.createElement("option"), { value: wanted, textContent: wanted }));
  find("dataset").replaceChildren(...options);
  find("dataset").value = wanted ?? datasets[0]?.id ?? "";
}

// Draws what is chosen, now and after each choice: `draw` gets the answer that has the document `file`.
export function example(file, draw) {
  let end = () => {};
  let turn = Promise.resolve();
  // One after the other: a map is whole before the next takes its place.
  const show = () => (turn = turn.then(drawChosen));
  async function drawChosen() {
    end();
    tell("");
    delete document.body.dataset.drawn;
    const id = find("dataset").value;
    try {
      if (!id) throw new Error("There is no public dataset here: an access token shows the others.");
      end = await draw(await ask(address(id, file)), () => { document.body.dataset.drawn = "yes"; });
    } catch (error) {
      end = () => {};
      tell(`${error.message} ${!error.hidden || bearer || given().has("token") ? "" : "What is not public needs an access token, or a tile token in the address."}`);
    }
  }
  async function begin() {
    try {
      await fill(find("dataset").value || given().get("dataset"));
      await show();
    } catch (error) {
      tell(error.message);
    }
  }
  find("dataset").addEventListener("change", () => {
    // Another dataset has another token, and values of its own.
    history.replaceState(null, "", `${location.pathname}#dataset=${find("dataset").value}`);
    show();
  });
  find("signin").addEventListener("submit", (event) => {
    event.preventDefault();
    bearer = find("bearer").value.trim() || null;
    begin();
  });
  begin();
}
