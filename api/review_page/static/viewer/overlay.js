// The boxes as elements over the picture. They are not scaled with it: lines, numbers and handles keep their size at any zoom.
//
// In the document they stand in the order of their numbers, which is the order of Tab; smaller ones lie above larger ones by z-index.

import { area, toFrame } from "./geometry.js";
import { badgeOf, labelOf } from "./wording.js";

const EDGES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const BADGE = { width: 28, height: 22, gap: 2 }; // CSS pixels, as in viewer.css; what is kept inside the frame

const element = (className, attributes = {}) => {
  const made = document.createElement("div");
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

export class Overlay {
  layer = element("viewer-layer");
  grips = element("viewer-layer"); // above everything else in the frame: a corner below a button can still be taken
  #handles = element("viewer-handles", { "aria-hidden": "true" }); // for pointers; keys edit the box itself
  #shown = new Map(); // key → {entry, box, node, badge, original}
  #selected = null;

  constructor() {
    const rim = element("viewer-rim");
    rim.append(...EDGES.map((edges) => element("viewer-handle", { "data-edges": edges })));
    this.#handles.append(rim);
    this.#handles.hidden = true;
    this.grips.append(this.#handles);
  }

  node(key) {
    return this.#shown.get(key)?.node;
  }

  /** Shows these entries; `preview` is {key, box} of the one being edited, `selected` a key or null. */
  show(entries, { selected, highlighted, editable, preview }) {
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, { node, original }] of this.#shown) {
      if (keys.has(key)) continue;
      node.remove();
      original.remove();
      this.#shown.delete(key);
    }
    this.#selected = keys.has(selected) ? selected : null;
    for (const entry of entries) {
      const shown = this.#shown.get(entry.key) ?? this.#make(entry.key);
      shown.box = preview?.key === entry.key ? preview.box : entry.box;
      this.#describe(shown, entry, { selected: entry.key === selected, highlighted: entry.key === highlighted });
      shown.original.hidden = !(entry.original && shown.box !== entry.original);
    }
    this.#stack();
    this.#handles.hidden = !editable || this.#selected === null;
  }

  /** Puts everything where the view has it. */
  place(view, frame) {
    for (const { entry, box, node, badge, original } of this.#shown.values()) {
      const at = toFrame(view, box);
      put(node, at);
      putBadge(badge, at, frame);
      if (!original.hidden) put(original, toFrame(view, entry.original));
      if (entry.key === this.#selected) put(this.#handles, at);
    }
  }

  #make(key) {
    const node = element("viewer-box", { role: "button", tabindex: "0", "data-key": key });
    const badge = element("viewer-badge", { "aria-hidden": "true" });
    const original = element("viewer-original", { "aria-hidden": "true" });
    original.hidden = true;
    node.append(badge);
    this.layer.append(original, node);
    const shown = { node, badge, original };
    this.#shown.set(key, shown);
    return shown;
  }

  #describe(shown, entry, { selected, highlighted }) {
    shown.entry = entry;
    shown.badge.textContent = badgeOf(entry);
    shown.node.setAttribute("aria-label", labelOf(entry));
    shown.node.setAttribute("aria-pressed", String(selected));
    shown.node.dataset.judgement = entry.judgement ?? "none";
    shown.node.classList.toggle("highlighted", highlighted);
  }

  #stack() {
    const largestFirst = [...this.#shown.values()].sort((one, other) => area(other.box) - area(one.box));
    largestFirst.forEach(({ node }, rank) => (node.style.zIndex = String(rank + 1)));
  }
}

function put(node, { left, top, width, height }) {
  node.style.transform = `translate(${left}px, ${top}px)`;
  node.style.width = `${width}px`;
  node.style.height = `${height}px`;
}

/** The number stands on the box's top left corner; where the frame cuts that off, it stays inside the frame as long as the box is seen. */
function putBadge(badge, { left, top, width, height }, frame) {
  const x = along(left, left, left + width, frame.width, BADGE.width);
  const y = along(top - BADGE.height, top, top + height, frame.height, BADGE.height);
  badge.style.transform = `translate(${x - left}px, ${y - top}px)`;
}

function along(wanted, start, end, available, length) {
  const inside = Math.min(Math.max(wanted, BADGE.gap), available - length - BADGE.gap);
  return start < available && end > 0 ? Math.min(inside, end - BADGE.gap) : wanted;
}
