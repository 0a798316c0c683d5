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

const SPACE = "http://www.w3.org/2000/svg";
// Drawn in 24 x 24 by strokes.
const ICONS = {
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M9.5 9.5h5v5h-5z",
  expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  ground: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M3 12h18M12 3c5 5 5 13 0 18c-5-5-5-13 0-18",
  save: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4 4L19 7",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  broken: "M4 5h16v14H4zM4 15l4-4 3 3M20 13l-3-3-3 4M9 5l3 5-2 4 3 5",
  blank: "M4 5h16v14H4zM4 19L20 5",
  key: "M9 11a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 12l8-8M16 8l3 3",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.6-5.6l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.6l1-1",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.01M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18",
  map: "M9 4L3 6.5v13L9 17l6 3 6-2.5v-13L15 7zM9 4v13M15 7v13",
  stack: "M12 4l9 4.5-9 4.5-9-4.5zM3 12.5l9 4.5 9-4.5M3 16.5l9 4.5 9-4.5",
  into: "M9 6l6 6-6 6",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
};

export function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const icon = (name) => shape("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, shape("path", { d: ICONS[name] }));

// A button that puts a text into the clipboard and says so.
export function copyButton(text, label, content) {
  const button = make("button", { type: "button", class: "small", "aria-label": label, title: label }, content);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return announce("The browser does not let this page copy.");
    }
    button.replaceChildren(typeof content === "string" ? "Copied" : icon("check"));
    announce("Copied.");
    setTimeout(() => button.replaceChildren(content), 2000);
  });
  return button;
}

// A dialog with its title and the button that closes it, in the document.
export function dialogOf(id, title, ...content) {
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = make("dialog", { id, "aria-labelledby": `${id}-title` }, make("div", { class: "line spread" }, make("h2", { id: `${id}-title` }, title), close), ...content);
  document.body.append(dialog);
  return dialog;
}

// Tabs or the like: one is chosen; arrows go around. `choose` hears the element's id.
export function tablist(box, choose) {
  const tabs = () => [...box.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
  function select(id, focus = false) {
    for (const tab of tabs()) {
      tab.setAttribute("aria-selected", String(tab.id === id));
      tab.tabIndex = tab.id === id ? 0 : -1;
      if (focus && tab.id === id) tab.focus();
    }
    choose(id);
  }
  box.addEventListener("click", ({ target }) => { const tab = target.closest("[role=tab]"); if (tab) select(tab.id); });
  box.addEventListener("keydown", ({ key, target }) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    if (!step) return;
    const all = tabs();
    select(all.at((all.indexOf(target) + step) % all.length).id, true);
  });
  return select;
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
