// The panels that say how far an explanation holds. Each is a <details data-panel="NAME">; its module, static/explaining/NAME.js, is loaded
// when the panel is first opened: most images are judged without, and nothing is fetched for those.
//
// A module exports `begin(body, { item, revision, viewer })`: it fills the panel's body, and may throw ApiError, which is then shown there.
import { offerLayers } from "./layers.js";

const PLACE = "explaining panels"; // in this browser: which panels are open

const opened = () => {
  try {
    return new Set(JSON.parse(localStorage.getItem(PLACE) ?? "[]"));
  } catch {
    return new Set();
  }
};

const remember = (name, open) => {
  const names = opened();
  if (open) names.add(name);
  else names.delete(name);
  localStorage.setItem(PLACE, JSON.stringify([...names]));
};

/** Brings the panels below `root` to life; those that were left open before are opened. `viewer` is the picture, if there is one. */
export function prepare(root, viewer) {
  const section = root.querySelector(".explaining");
  if (!section) return;
  const about = { item: section.dataset.item, revision: Number(section.dataset.revision), viewer };
  if (viewer) offerLayers(viewer, about, (name) => reveal(root, name));
  for (const panel of section.querySelectorAll("details[data-panel]")) {
    const name = panel.dataset.panel;
    let begun = false;
    panel.addEventListener("toggle", () => {
      remember(name, panel.open);
      if (panel.open && !begun) {
        begun = true;
        begin(panel, about);
      }
    });
    panel.open = opened().has(name);
  }
}

/** Also by keys and layers: opens a panel of `root`, and goes there. */
export function reveal(root, name) {
  const panel = root.querySelector(`.explaining details[data-panel="${name}"]`);
  if (!panel) return;
  panel.open = true;
  panel.scrollIntoView({ block: "nearest" });
}

async function begin(panel, about) {
  const body = panel.querySelector(".panel-body");
  const note = Object.assign(document.createElement("p"), { className: "muted", textContent: "Loading…" });
  body.append(note);
  try {
    const module = await import(`./${panel.dataset.panel}.js`);
    await module.begin(body, about);
    note.remove();
  } catch (error) {
    note.className = "bad";
    note.setAttribute("role", "alert");
    note.textContent = error.message;
    const again = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Try again" });
    again.addEventListener("click", () => {
      for (const part of [note, again]) part.remove();
      begin(panel, about);
    });
    body.append(again);
  }
}
