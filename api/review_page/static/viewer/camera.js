// Which part of the picture is seen: keeps the view inside its limits, animates jumps, and says when it changed, once a frame.

import { centredView, fittingScale, mixedView, settledView, toFrame, zoomedView } from "./geometry.js";

const MARGIN = 14; // CSS pixels around a fitted picture, so that handles on its edge can be taken
const DEEPEST = 32; // CSS pixels that one pixel of the file may take
const DEEPER_THAN_FIT = 4; // a picture that is small in the frame can still be zoomed this far
const DEEPEST_JUMP = 8; // the same, for a jump to a box: a tiny one is still seen in its surroundings
const JUMP = 180; // milliseconds that a jump takes; long enough to see where it went
const SHARE_OF_FRAME = 0.5; // of the frame, that a box takes after a jump to it

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Camera {
  view = null; // none while the frame has no size: the element is not shown
  frame = { width: 0, height: 0 };
  filePixels; // of the file's width, which may be smaller than the original's
  #size;
  #changed;
  #fitted = true; // stays fitted when the frame's size changes, until somebody zooms
  #goal = null; // of the jump under way
  #request = 0;

  constructor(size, changed) {
    this.#size = size;
    this.filePixels = size.width;
    this.#changed = changed;
  }

  get fitted() {
    return this.#fitted;
  }

  /** CSS pixels per pixel of the file. */
  get magnification() {
    return (this.view.scale * this.#size.width) / this.filePixels;
  }

  /** Takes the frame's new size at once, before it is painted. */
  resize(frame) {
    if (!frame.width || !frame.height) return;
    const before = this.frame;
    this.frame = frame;
    this.stop();
    if (this.#fitted || !this.view) this.view = this.#fit();
    else {
      const [dx, dy] = [(frame.width - before.width) / 2, (frame.height - before.height) / 2];
      this.view = this.#settle({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
    }
    this.#changed();
  }

  fit() {
    if (!this.view) return;
    this.#jump(this.#fit());
  }

  goTo(box) {
    if (!this.view) return;
    const sides = { width: box[2] - box[0], height: box[3] - box[1] };
    const deepest = (DEEPEST_JUMP * this.filePixels) / this.#size.width;
    const scale = this.#limit(Math.min(fittingScale(sides, this.frame, 0) * SHARE_OF_FRAME, deepest));
    this.#jump(this.#settle(centredView(box, scale, this.frame)));
  }

  /** Pans as little as it takes to see the box, or to have the frame full of it. */
  reveal(box) {
    if (!this.view) return;
    const from = this.#goal ?? this.view;
    const { left, top, width, height } = toFrame(from, box);
    const [dx, dy] = [revealing(left, width, this.frame.width), revealing(top, height, this.frame.height)];
    if (dx || dy) this.#jump(this.#settle({ ...from, x: from.x + dx, y: from.y + dy }));
  }

  /** Zooms about a point of the frame; by default about its middle. */
  zoomBy(factor, point = this.#middle(), { smoothly = false } = {}) {
    if (!this.view) return;
    const from = (smoothly && this.#goal) || this.view; // so that keys pressed fast add up
    const view = this.#settle(zoomedView(from, this.#limit(from.scale * factor), point));
    if (smoothly) this.#jump(view);
    else this.#show(view);
  }

  panBy(dx, dy) {
    if (this.view) this.#show(this.#settle({ ...this.view, x: this.view.x + dx, y: this.view.y + dy }));
  }

  /** Leaves a jump where it is. */
  stop() {
    cancelAnimationFrame(this.#request);
    this.#goal = null;
  }

  #middle() {
    return { x: this.frame.width / 2, y: this.frame.height / 2 };
  }

  #fit() {
    return this.#settle(centredView([0, 0, this.#size.width, this.#size.height], this.#fittingScale(), this.frame));
  }

  #fittingScale() {
    return fittingScale(this.#size, this.frame, MARGIN);
  }

  #limit(scale) {
    const lowest = this.#fittingScale();
    const highest = Math.max((DEEPEST * this.filePixels) / this.#size.width, lowest * DEEPER_THAN_FIT);
    return Math.min(Math.max(scale, lowest), highest);
  }

  #settle(view) {
    return settledView(view, this.#size, this.frame, MARGIN);
  }

  #show(view) {
    this.#aim(view);
    this.view = view;
    this.#request = requestAnimationFrame(() => this.#changed());
  }

  #jump(to) {
    if (calm.matches) return this.#show(to);
    this.#aim(to);
    this.#goal = to;
    const from = this.view;
    const start = performance.now();
    const step = (now) => {
      const part = Math.min(Math.max((now - start) / JUMP, 0), 1);
      this.view = mixedView(from, to, 1 - (1 - part) ** 3);
      this.#changed();
      if (part < 1) this.#request = requestAnimationFrame(step);
      else this.#goal = null;
    };
    this.#request = requestAnimationFrame(step);
  }

  #aim(view) {
    this.stop();
    this.#fitted = view.scale <= this.#fittingScale();
  }
}

function revealing(start, length, available) {
  const [first, last] = [MARGIN - start, available - MARGIN - start - length]; // shifts to the frame's start, and to its end
  return Math.min(Math.max(0, Math.min(first, last)), Math.max(first, last));
}
