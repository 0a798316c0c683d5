// Elements, made from text alone: nothing that a server or a file says is ever read as HTML.

export const find = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// Says something to those who hear the page; the same words twice are heard twice.
export function announce(text) {
  const live = find("live");
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

export function debounced(work, wait) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
}

// Shows one state of a part of the page: a sentence, a hint, and what can be done about it.
export function showState(box, { title, hint, action, run, busy = false } = {}) {
  box.hidden = !title;
  box.setAttribute("aria-busy", String(busy));
  box.replaceChildren();
  if (!title) return;
  box.append(make("p", { class: "state-title" }, title));
  if (hint) box.append(make("p", { class: "note" }, hint));
  if (action) box.append(make("button", { type: "button", onclick: run }, action));
}
