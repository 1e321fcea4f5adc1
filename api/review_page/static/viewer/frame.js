// The elements around the picture: what is read out, hinted, pressed.

import { HELP } from "./wording.js";

let count = 0;

const made = (tag, className, properties = {}) => Object.assign(document.createElement(tag), { className, ...properties });

const button = (className, text, press, label) => {
  const pressed = made("button", className, { type: "button", textContent: text });
  if (label) pressed.setAttribute("aria-label", label);
  pressed.addEventListener("click", press);
  return pressed;
};

/** Text for a screen reader, changed by setting `textContent`. */
export function liveRegion() {
  const region = made("p", "viewer-unseen");
  region.setAttribute("role", "status");
  return region;
}

export function help() {
  count += 1;
  return made("p", "viewer-unseen", { id: `viewer-help-${count}`, textContent: HELP });
}

export const hint = () => made("p", "viewer-hint", { hidden: true });

export const cover = (press) => button("viewer-cover", "Show the whole image", press);

export function tools({ zoomOut, fit, zoomIn }) {
  const group = made("div", "viewer-tools");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Zoom");
  group.append(button("", "−", zoomOut, "Zoom out"), button("", "Fit", fit, "Fit the whole image"), button("", "+", zoomIn, "Zoom in"));
  return group;
}

/** Buttons of layers, and below them what explains those that are shown. */
export function layerTools() {
  const group = made("div", "viewer-layers", { hidden: true });
  const row = made("div", "viewer-row");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Layers");
  group.append(row);
  return {
    group,
    add(label, shortcut, press) {
      const added = button("", label, press);
      added.setAttribute("aria-pressed", "false");
      if (shortcut) added.setAttribute("aria-keyshortcuts", shortcut);
      row.append(added);
      group.hidden = false;
      return added;
    },
    explain: (legend) => group.append(legend),
  };
}

/** Stands where the picture would be. */
export const ground = () => made("div", "viewer-picture viewer-ground");

export function missing(reason, tryAgain) {
  const note = made("div", "viewer-missing");
  note.setAttribute("role", "status");
  note.append(made("p", "", { textContent: reason }));
  if (tryAgain) note.append(button("", "Try again", tryAgain));
  return note;
}
