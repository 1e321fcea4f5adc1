// The boxes and what a person says of them: a list of frozen entries, replaced on each change, so that undoing is taking the one before.
//
// Entry: {key, position, label, original, box, judgement}. `key` is a string: the model's position, a1, a2, ... of an added one, or LOOK of
// the place that somebody asks about, which judges nothing.

import { clampBox, sameBox, wholeBox } from "./geometry.js";

export const LOOK = "look";

export class BoxList {
  #entries;
  #earlier = [];
  #size;

  /** `found`: [{position, box, label}] of the model. A box beyond the image is shown clamped. */
  constructor(found, size) {
    this.#size = size;
    this.#entries = found.map(({ position, box, label }) => {
      const inside = Object.freeze(clampBox(box, size));
      return Object.freeze({ key: String(position), position, label: label ?? "", original: inside, box: inside, judgement: null });
    });
  }

  get entries() {
    return this.#entries;
  }

  find(key) {
    return this.#entries.find((entry) => entry.key === key);
  }

  /** Accepting or rejecting puts a moved box back; an added one can only be rejected, which removes it. Answers whether anything changed. */
  judge(key, judgement) {
    const entry = this.find(key);
    if (!entry) return false;
    if (entry.position === null) return judgement !== "accept" && this.#remove(key);
    return entry.judgement !== judgement && this.#replace(key, { box: entry.original, judgement });
  }

  /** A moved box, or an added one in its new place. */
  place(key, box) {
    const entry = this.find(key);
    const placed = Object.freeze(wholeBox(box, this.#size));
    if (!entry || sameBox(placed, wholeBox(entry.box, this.#size))) return false;
    if (entry.position === null) return this.#replace(key, { box: placed });
    if (sameBox(placed, wholeBox(entry.original, this.#size))) return this.#replace(key, { box: entry.original, judgement: null });
    return this.#replace(key, { box: placed, judgement: "move" });
  }

  /** Answers the key of the new box. A place to look at takes the place of the one before. */
  add(box, { look = false } = {}) {
    const others = this.#entries.filter(({ key }) => !look || key !== LOOK);
    const numbers = others.filter(({ judgement }) => judgement === "add").map(({ key }) => Number(key.slice(1)));
    const key = look ? LOOK : `a${Math.max(0, ...numbers) + 1}`;
    const placed = Object.freeze(wholeBox(box, this.#size));
    this.#become([...others, Object.freeze({ key, position: null, label: "", original: null, box: placed, judgement: look ? LOOK : "add" })]);
    return key;
  }

  /** The place of a box that was just added; one change together with the adding. */
  settle(key, box) {
    const placed = Object.freeze(wholeBox(box, this.#size));
    this.#entries = this.#entries.map((entry) => (entry.key === key ? Object.freeze({ ...entry, box: placed }) : entry));
  }

  /** Removes an added box or a place to look at, puts a moved one back. */
  restore(key) {
    return ["add", "move", LOOK].includes(this.find(key)?.judgement) && this.judge(key, null);
  }

  /** Takes back the last change. */
  undo() {
    if (!this.#earlier.length) return false;
    this.#entries = this.#earlier.pop();
    return true;
  }

  /** As the API takes them. */
  judgements() {
    return this.#entries
      .filter(({ judgement }) => judgement !== null && judgement !== LOOK)
      .map(({ judgement: kind, position, box }) => {
        if (kind === "add") return { kind, box: [...box] };
        return kind === "move" ? { kind, position, box: [...box] } : { kind, position };
      });
  }

  #remove(key) {
    return this.#become(this.#entries.filter((entry) => entry.key !== key));
  }

  #replace(key, changes) {
    return this.#become(this.#entries.map((entry) => (entry.key === key ? Object.freeze({ ...entry, ...changes }) : entry)));
  }

  #become(entries) {
    this.#earlier.push(this.#entries);
    this.#entries = entries;
    return true;
  }
}
