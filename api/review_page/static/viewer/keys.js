// The keyboard, while the focus is inside. Keys that are acted on go no further, so that the page's own keys never act twice.

const PAN = 0.1; // of the frame's side, for each arrow
const ZOOM = 1.25;
const STEP = 0.01; // of the picture's side, when editing
const FINE_STEP = 0.001;
const HOLD = 400; // milliseconds; a longer press on V shows the picture only as long as it lasts
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Keys {
  #viewer;
  #gestures;
  #pressedSpace = null; // where the space bar went down
  #pressedV = null; // when V went down

  constructor(viewer, gestures) {
    this.#viewer = viewer;
    this.#gestures = gestures;
    viewer.element.addEventListener("keydown", (event) => this.#down(event));
    viewer.element.addEventListener("keyup", (event) => this.#up(event));
    viewer.element.addEventListener("focusout", () => this.#release());
    viewer.element.addEventListener("pointerdown", () => (this.#pressedSpace = null)); // the space bar is held to pan
  }

  #down(event) {
    if (event.ctrlKey || event.metaKey || event.target.closest("button")) return;
    if (this.#edit(event) || (!event.altKey && (this.#act(event) || this.#look(event)))) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** While a box is edited by keys. */
  #edit({ key, shiftKey, altKey }) {
    const { desk, camera, size } = this.#viewer;
    const { editor } = desk;
    if (!editor.active?.byKeys) return false;
    if (key === "Enter" || key === "Escape") desk.endEdit({ kept: key === "Enter" });
    else if (key in ARROWS) {
      const [right, down] = ARROWS[key];
      const step = (side) => Math.max(side * (shiftKey ? FINE_STEP : STEP), 1);
      const edges = altKey ? (right ? "e" : "s") : "";
      editor.shift(right * step(size.width), down * step(size.height), { edges, step: true });
      desk.preview({ said: true });
      camera.reveal(editor.active.box);
    } else return false;
    return true;
  }

  /** What is done to boxes. */
  #act({ key, target, repeat }) {
    const { desk } = this.#viewer;
    const box = target.closest(".viewer-box")?.dataset.key ?? null;
    switch (key) {
      case "Enter":
        return !repeat && this.#viewer.enter(box);
      case "Escape":
        if (!this.#gestures.dragging) return desk.escape();
        this.#gestures.cancel();
        return true;
      case "Delete":
      case "Backspace":
        return desk.restore(box ?? desk.selected);
      case " ":
        if (!repeat) this.#pressedSpace = box ?? "";
        this.#gestures.spaceHeld = true;
        return true;
      default:
        return false;
    }
  }

  /** How the picture is looked at. */
  #look({ key, repeat }) {
    const { camera } = this.#viewer;
    if (key in ARROWS) {
      const [right, down] = ARROWS[key];
      camera.panBy(-right * camera.frame.width * PAN, -down * camera.frame.height * PAN);
    } else if (key === "+" || key === "=") camera.zoomBy(ZOOM, undefined, { smoothly: true });
    else if (key === "-") camera.zoomBy(1 / ZOOM, undefined, { smoothly: true });
    else if (key === "0") camera.fit();
    else if (key === "v" || key === "V") return this.#viewer.blurred && (repeat || this.#pressV());
    else return false;
    return true;
  }

  #pressV() {
    this.#pressedV = performance.now();
    this.#viewer.peek(!this.#viewer.peeking);
    return true;
  }

  #up(event) {
    if (event.key === " ") {
      const box = this.#pressedSpace;
      this.#release();
      if (box) this.#viewer.desk.toggle(box);
    } else if (event.key.toLowerCase() === "v" && this.#pressedV !== null) {
      if (performance.now() - this.#pressedV > HOLD) this.#viewer.peek(false);
      this.#pressedV = null;
    } else return;
    event.stopPropagation();
  }

  #release() {
    this.#pressedSpace = null;
    this.#gestures.spaceHeld = false;
  }
}
