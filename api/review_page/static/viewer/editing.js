// One edit at a time: a box is previewed in its new place until it is kept or given up.

import { clampBox, movedBox, resizedBox } from "./geometry.js";

export class Editor {
  active = null; // {key, from, box, fresh, byKeys}
  adding = false;
  looking = false; // what is added is a place to look at, no judgement
  #boxes;
  #size;

  constructor(boxes, size) {
    this.#boxes = boxes;
    this.#size = size;
  }

  /** `fresh`: the box was made for this edit, and goes when the edit is given up. */
  begin(key, { fresh = false, byKeys = false } = {}) {
    const { box } = this.#boxes.find(key);
    this.active = { key, from: box, box, fresh, byKeys };
  }

  /** Adds a box and begins to edit it. Answers its key. */
  beginNew(box, { byKeys = false } = {}) {
    this.adding = false;
    const key = this.#boxes.add(box, { look: this.looking });
    this.begin(key, { fresh: true, byKeys });
    return key;
  }

  /** Shifts the edges of the box, or all of it without `edges`, in original pixels; from where it began, or with `step` from where it is. */
  shift(dx, dy, { edges = "", step = false } = {}) {
    const from = step ? this.active.box : this.active.from;
    this.active.box = edges ? resizedBox(from, edges, dx, dy, this.#size) : movedBox(from, dx, dy, this.#size);
  }

  /** The box between two opposite corners, in any order. */
  span(corners) {
    this.active.box = clampBox(corners, this.#size);
  }

  /** Answers whether anything changed. */
  keep() {
    const { key, box, fresh } = this.active;
    this.active = null;
    if (!fresh) return this.#boxes.place(key, box);
    this.#boxes.settle(key, box);
    return true;
  }

  giveUp() {
    const { fresh } = this.active;
    this.active = null;
    if (fresh) this.#boxes.undo();
  }
}
