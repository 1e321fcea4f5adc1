// What is selected, judged and edited, and who is told of it.

import { BoxList } from "./boxes.js";
import { Editor } from "./editing.js";
import { area } from "./geometry.js";
import { HINTS, judged, nameOf, placeOf } from "./wording.js";

const keyOf = (key) => (key === null || key === undefined ? null : String(key));

export class Desk {
  selected = null;
  highlighted = null;
  editor;
  #boxes;
  #out;

  /** `out` offers draw(), say(text) and tell(eventName, detail). */
  constructor(found, size, out) {
    this.#boxes = new BoxList(found, size);
    this.editor = new Editor(this.#boxes, size);
    this.#out = out;
  }

  get entries() {
    return this.#boxes.entries;
  }

  get judgements() {
    this.finish();
    return this.#boxes.judgements();
  }

  find(key) {
    return this.#boxes.find(keyOf(key));
  }

  select(key) {
    const entry = this.find(key) ?? null;
    if ((entry?.key ?? null) === this.selected) return;
    if (this.editor.active?.key !== entry?.key) this.finish();
    this.selected = entry?.key ?? null;
    this.#out.draw();
    this.#out.tell("box-select", { key: this.selected, position: entry?.position ?? null });
  }

  /** A click on the selected box goes on to the next one below the pointer, so that boxes on top of each other can all be reached. */
  selectAt(key, { x, y }) {
    if (key !== this.selected) return this.select(key);
    const below = this.entries
      .filter(({ box: [x0, y0, x1, y1] }) => x0 <= x && x <= x1 && y0 <= y && y <= y1)
      .sort((one, other) => area(one.box) - area(other.box));
    const at = below.findIndex((entry) => entry.key === key);
    if (at >= 0) this.select(below[(at + 1) % below.length].key);
  }

  toggle(key) {
    this.select(key === this.selected ? null : key);
  }

  /** Leaves what is going on, one thing at a time. Answers whether there was any. */
  escape() {
    if (this.editor.adding) return this.stopAdding();
    if (this.selected === null) return false;
    this.select(null);
    return true;
  }

  highlight(key) {
    this.highlighted = this.find(key)?.key ?? null;
    this.#out.draw();
  }

  judge(key, judgement) {
    return this.#change(() => this.#boxes.judge(keyOf(key), judgement), key);
  }

  restore(key) {
    return this.#change(() => this.#boxes.restore(keyOf(key)), key);
  }

  /** Takes back the last change; an edit under way is given up instead. */
  undo() {
    if (this.editor.active) return this.endEdit({ kept: false });
    return this.#change(() => this.#boxes.undo(), null, "Last change to the boxes undone");
  }

  /** What `judgements` answered once, on boxes that nobody judged yet: a draft that was kept. */
  apply(judgements) {
    for (const { kind, position, box } of judgements) {
      if (kind === "add") this.#boxes.add(box);
      else if (kind === "move") this.#boxes.place(String(position), box);
      else this.#boxes.judge(String(position), kind);
    }
    this.#changed();
  }

  /** `look`: the box is to be asked about, and judges nothing. */
  startAdding({ look = false } = {}) {
    this.finish();
    this.select(null);
    this.editor.adding = true;
    this.editor.looking = look;
    this.#out.say(HINTS.adding);
    this.#out.draw();
  }

  /** Marks a place to look at, and selects it. */
  addLook(box) {
    this.finish();
    const key = this.#boxes.add(box, { look: true });
    this.select(null);
    this.select(key);
    this.#changed();
  }

  stopAdding() {
    this.editor.adding = false;
    this.#out.say("No box added");
    this.#out.draw();
    return true;
  }

  beginEdit({ byKeys = false } = {}) {
    this.finish();
    this.editor.begin(this.selected, { byKeys });
    if (byKeys) this.#out.say(`Editing ${nameOf(this.find(this.selected))}. ${HINTS.editing}`);
    this.#out.draw();
  }

  /** Adds a box and edits it from there. */
  beginNew(box, { byKeys = false } = {}) {
    this.select(this.editor.beginNew(box, { byKeys }));
    if (byKeys) this.#out.say(`${nameOf(this.find(this.selected))}: ${placeOf(box)}. ${HINTS.editing}`);
  }

  preview({ said = false } = {}) {
    this.#out.draw();
    if (said) this.#out.say(placeOf(this.editor.active.box));
  }

  endEdit({ kept }) {
    if (!this.editor.active) return false;
    const { key, fresh } = this.editor.active;
    if (kept && this.editor.keep()) this.#changed(judged(this.find(key)));
    else {
      if (!kept) this.editor.giveUp();
      this.#out.say(fresh ? "No box added" : `${nameOf(this.find(key))} as it was`);
    }
    this.#forgetGone();
    this.#out.draw();
    return true;
  }

  /** An edit is kept when something else is done. */
  finish() {
    this.endEdit({ kept: true });
  }

  #change(act, key, said) {
    this.finish();
    const before = this.find(key);
    if (!act()) return false;
    this.#forgetGone();
    const after = this.find(key);
    this.#changed(said ?? (after ? judged(after) : `${nameOf(before)} removed`));
    return true;
  }

  #forgetGone() {
    if (this.selected !== null && !this.find(this.selected)) this.select(null);
  }

  #changed(said) {
    this.#out.draw();
    if (said) this.#out.say(said);
    this.#out.tell("boxes-change", {});
  }
}
