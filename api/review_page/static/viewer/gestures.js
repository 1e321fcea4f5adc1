// Mouse, pen, touch and wheel, told apart and handed on: pan, pinch, move or resize the selected box, draw a new one.
//
// A press is a click until it has travelled; only then is the pointer captured, so that clicks stay the browser's and reach the boxes,
// also those that a screen reader makes. Until then the window is listened to: a fast pointer is out of the element at its first move.

import { toImage } from "./geometry.js";

const TRAVEL = { mouse: 3, pen: 5, touch: 8 }; // CSS pixels before a press is a drag
const SMALLEST_DRAWN = 5; // CSS pixels; less is a slip
const LINE = 16; // CSS pixels that a wheel's line stands for
const NOTCH = 0.0018; // of zoom, in its logarithm, for each CSS pixel of the wheel: 100 px zoom by a fifth
const PINCH = 6; // times that, for a trackpad's pinch, which comes as a wheel with small steps

export class Gestures {
  spaceHeld = false;
  #viewer;
  #pointers = new Map(); // id → point of the frame
  #drag = null; // {id, kind, start, edges, began}
  #swallowClick = false;
  #pressed = new AbortController(); // ends listening to the window

  /** `viewer` offers the element, its desk and camera, pointOf(event), mayEdit(key), whether it is blurred, and peek. */
  constructor(viewer) {
    this.#viewer = viewer;
    const on = (name, act, options) => viewer.element.addEventListener(name, (event) => act.call(this, event), options);
    on("wheel", this.#wheel, { passive: false });
    on("pointerdown", this.#down);
    on("click", this.#click, { capture: true });
    on("dragstart", (event) => event.preventDefault());
    on("mousedown", (event) => event.button === 1 && event.preventDefault()); // no autoscroll
  }

  get dragging() {
    return Boolean(this.#drag?.began);
  }

  /** Ends a drag under way; an edit is given up. */
  cancel() {
    if (!this.#drag) return;
    const { kind, began } = this.#drag;
    this.#drag = null;
    if (began && kind !== "pan") this.#viewer.desk.endEdit({ kept: false });
    this.#viewer.element.classList.remove("panning");
  }

  #wheel(event) {
    event.preventDefault();
    const unit = [1, LINE, this.#viewer.camera.frame.height][event.deltaMode];
    this.#viewer.camera.zoomBy(Math.exp(-event.deltaY * unit * NOTCH * (event.ctrlKey ? PINCH : 1)), this.#viewer.pointOf(event));
  }

  #down(event) {
    this.#swallowClick = false;
    if (event.button > 1 || event.target.closest("button, .viewer-missing")) return;
    this.#viewer.camera.stop();
    if (!this.#pointers.size) this.#follow();
    this.#pointers.set(event.pointerId, this.#viewer.pointOf(event));
    if (this.#pointers.size === 1) {
      this.#drag = { id: event.pointerId, start: this.#viewer.pointOf(event), began: false, ...this.#meaning(event) };
      this.#held(true);
    } else this.cancel();
  }

  #follow() {
    this.#pressed = new AbortController();
    const on = (name, act) => window.addEventListener(name, (event) => act.call(this, event), { signal: this.#pressed.signal });
    on("pointermove", this.#move);
    on("pointerup", this.#up);
    on("pointercancel", this.#cancelled);
  }

  #meaning({ target, button }) {
    const { desk } = this.#viewer;
    const { editor, selected } = desk;
    if (button === 1 || this.spaceHeld) return { kind: "pan" };
    if (editor.adding) return { kind: "draw" };
    if (!this.#viewer.mayEdit(selected)) return { kind: "pan" };
    const edges = target.closest(".viewer-handle")?.dataset.edges;
    if (edges) return { kind: "shift", edges };
    return target.closest(".viewer-box")?.dataset.key === selected && selected !== null ? { kind: "shift" } : { kind: "pan" };
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const point = this.#viewer.pointOf(event);
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, before, point);
    this.#pointers.set(event.pointerId, point);
    if (this.#drag?.id !== event.pointerId) return;
    if (!this.#drag.began && !this.#begin(event, point)) return;
    this.#dragged(before, point);
  }

  #begin(event, point) {
    const { start, kind } = this.#drag;
    if (Math.hypot(point.x - start.x, point.y - start.y) < (TRAVEL[event.pointerType] ?? TRAVEL.mouse)) return false;
    this.#drag.began = true;
    this.#swallowClick = true;
    this.#viewer.element.setPointerCapture(event.pointerId);
    if (kind === "pan") this.#viewer.element.classList.add("panning");
    if (kind === "shift") this.#viewer.desk.beginEdit();
    if (kind === "draw") this.#viewer.desk.beginNew(this.#spanned(start, point));
    if (kind === "pan") this.#viewer.camera.panBy(point.x - start.x, point.y - start.y);
    return kind !== "pan";
  }

  #dragged(before, point) {
    const { kind, start, edges } = this.#drag;
    const { camera, desk } = this.#viewer;
    const { scale } = camera.view;
    if (kind === "pan") camera.panBy(point.x - before.x, point.y - before.y);
    else if (!desk.editor.active) this.#drag = null; // the page ended the edit
    else {
      if (kind === "shift") desk.editor.shift((point.x - start.x) / scale, (point.y - start.y) / scale, { edges });
      else desk.editor.span(this.#spanned(start, point));
      desk.preview();
    }
  }

  #spanned(one, other) {
    const [from, to] = [one, other].map((point) => toImage(this.#viewer.camera.view, point));
    return [from.x, from.y, to.x, to.y];
  }

  #pinch(id, before, after) {
    const other = [...this.#pointers].find(([otherId]) => otherId !== id)[1];
    const apart = (point) => Math.max(Math.hypot(point.x - other.x, point.y - other.y), 1);
    const middle = (point) => ({ x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 });
    const [from, to] = [middle(before), middle(after)];
    this.#viewer.camera.zoomBy(apart(after) / apart(before), from);
    this.#viewer.camera.panBy(to.x - from.x, to.y - from.y);
  }

  #up(event) {
    const point = this.#viewer.pointOf(event);
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#drag?.id === event.pointerId) this.#drop(point);
    this.#lift();
  }

  #lift() {
    if (this.#pointers.size) return;
    this.#pressed.abort();
    this.#held(false);
  }

  #drop(point) {
    const { kind, start, began } = this.#drag;
    this.#drag = null;
    this.#viewer.element.classList.remove("panning");
    if (!began || kind === "pan") return;
    const slipped = kind === "draw" && Math.min(Math.abs(point.x - start.x), Math.abs(point.y - start.y)) < SMALLEST_DRAWN;
    this.#viewer.desk.endEdit({ kept: !slipped });
    if (slipped) this.#viewer.desk.startAdding({ look: this.#viewer.desk.editor.looking });
  }

  #cancelled({ pointerId }) {
    if (!this.#pointers.delete(pointerId)) return;
    if (this.#drag?.id === pointerId) this.cancel();
    this.#lift();
  }

  #held(on) {
    if (this.#viewer.blurred) this.#viewer.peek(on);
  }

  #click(event) {
    if (!this.#swallowClick) return;
    this.#swallowClick = false;
    event.stopPropagation();
    event.preventDefault();
  }
}
