// What can be laid over the picture, below its boxes: each layer by a button of its own. It is made when it is first switched on, and scaled
// with the picture; while the picture is hidden, so are they.

import { layerTools } from "./frame.js";

export class Layers {
  tools = layerTools();
  #layers = new Map(); // name → {label, make, button, on, made: a promise of what make answers, shown: what it answered}
  #page;

  /** `page` offers size, insert(picture), place(), say(text) and tell(event, detail). */
  constructor(page) {
    this.#page = page;
  }

  /** `make` answers, in time, `{picture, legend, spoken}`: an element, one that explains it, and what it shows in words; or it throws. */
  add({ name, label, shortcut, make }) {
    const button = this.tools.add(label, shortcut, () => this.toggle(name));
    this.#layers.set(name, { label, make, button, shown: null, on: false, made: null });
  }

  isOn(name) {
    return this.#layers.get(name)?.on ?? false;
  }

  /** Answers whether it is on now. `quietly`: nobody asked for it just now, so that nothing is said if there is no such layer. */
  async toggle(name, on = !this.isOn(name), { quietly = false } = {}) {
    const layer = this.#layers.get(name);
    if (!layer || layer.on === on) return on && Boolean(layer);
    layer.on = on;
    try {
      if (on) layer.shown = await (layer.made ??= this.#make(layer));
    } catch (error) {
      layer.on = false;
      layer.made = null;
      if (!quietly) this.#page.tell("layer-missing", { name, code: error.code, reason: error.message });
    }
    this.#show(layer);
    if (!quietly) {
      this.#page.say(layer.on ? `${layer.label} shown. ${layer.shown.spoken}` : `${layer.label} not shown.`);
      this.#page.tell("layer-change", { name, on: layer.on });
    }
    return layer.on;
  }

  /** Forgets what was made: the next time it is made anew; now, if it is on. */
  async renew(name) {
    const layer = this.#layers.get(name);
    if (!layer) return;
    const { on } = layer;
    layer.on = false;
    this.#show(layer);
    for (const part of [layer.shown?.picture, layer.shown?.legend]) part?.remove();
    layer.shown = layer.made = null;
    if (on) await this.toggle(name, true);
  }

  place({ x, y, scale }) {
    for (const { shown } of this.#layers.values()) if (shown) shown.picture.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }

  async #make(layer) {
    const shown = await layer.make();
    const { width, height } = this.#page.size;
    shown.picture.classList.add("viewer-sheet");
    shown.picture.setAttribute("aria-hidden", "true"); // said when it is shown; its figures stand beside the picture
    Object.assign(shown.picture.style, { width: `${width}px`, height: `${height}px` });
    this.#page.insert(shown.picture);
    this.tools.explain(shown.legend);
    return shown;
  }

  #show({ on, shown, button }) {
    button.setAttribute("aria-pressed", String(on));
    if (!shown) return;
    for (const part of [shown.picture, shown.legend]) part.toggleAttribute("hidden", !on); // an SVG has no such property
    this.#page.place();
  }
}
