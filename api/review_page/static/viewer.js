// <zoom-image>: a picture with its numbered boxes, to look at closely and to judge, move and add boxes on.
//
// The picture is scaled by a CSS transform alone; boxes are drawn over it at the frame's own scale. Which part is seen is kept in
// camera.js, what is selected, judged and edited in desk.js; here they meet the element and its attributes.

import { LOOK } from "./viewer/boxes.js";
import { Camera } from "./viewer/camera.js";
import { Desk } from "./viewer/desk.js";
import { Exposure } from "./viewer/exposure.js";
import * as frame from "./viewer/frame.js";
import { clampBox, toImage } from "./viewer/geometry.js";
import { Gestures } from "./viewer/gestures.js";
import { Keys } from "./viewer/keys.js";
import { Layers } from "./viewer/layers.js";
import { Overlay } from "./viewer/overlay.js";
import { Picture } from "./viewer/picture.js";
import { HINTS } from "./viewer/wording.js";

const NEW_BOX = 0.25; // of the seen part's sides, for a box that is placed by keyboard
const ZOOM = 1.5; // by a button

export class ZoomImage extends HTMLElement {
  static observedAttributes = ["blur", "crop-first", "editable"];

  /** Resolves once the image is decoded, to true; or to false when it is missing. */
  ready;
  #isReady;
  #size;
  #picture;
  #desk;
  #camera;
  #overlay;
  #layers;
  #live;
  #hint;
  #exposure = new Exposure((name, detail) => this.#tell(name, detail));
  #onScreen = false;
  #peeking = false;
  #hovered = null;
  #leaving;

  constructor() {
    super();
    this.ready = new Promise((resolve) => (this.#isReady = resolve));
  }

  connectedCallback() {
    if (!this.#desk) this.#build();
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    document.addEventListener("visibilitychange", () => this.#exposed(), { signal });
    window.addEventListener("blur", () => this.peek(false), { signal });
    const sized = new ResizeObserver(() => this.#camera.resize({ width: this.clientWidth, height: this.clientHeight }));
    const seen = new IntersectionObserver((changes) => this.#seen(changes.at(-1).isIntersecting));
    for (const observer of [sized, seen]) {
      observer.observe(this);
      signal.addEventListener("abort", () => observer.disconnect());
    }
  }

  disconnectedCallback() {
    this.#leaving.abort();
    this.#seen(false);
  }

  attributeChangedCallback() {
    if (!this.#desk) return;
    if (this.hasAttribute("blur")) this.#picture.blur();
    this.#draw();
    this.#place();
    this.#exposed();
  }

  // What the page may ask and do. A `key` is a box's position, or a1, a2, ... of an added one; a number will do.

  get boxes() {
    return this.#desk.entries.map(({ key, position, box, label, judgement }) => ({ key, position, box: [...box], label, judgement }));
  }

  get selected() {
    return this.#desk.selected;
  }

  get exposureSeconds() {
    return this.#exposure.seconds;
  }

  judgements() {
    return this.#desk.judgements;
  }

  /** Brings back what `judgements` gave. */
  applyJudgements(judgements) {
    this.#desk.apply(judgements);
  }

  select(key, { focus = false } = {}) {
    this.#desk.select(key);
    if (focus) this.#focusSelected();
  }

  /** Selects a box and edits it by keyboard. */
  startEditing(key = this.selected) {
    this.#desk.select(key);
    if (!this.#mayEdit(this.selected) || this.selected === null) return false;
    this.#focusSelected();
    this.#desk.beginEdit({ byKeys: true });
    return true;
  }

  highlight(key) {
    this.#desk.highlight(key);
  }

  focusBox(key) {
    const entry = this.#desk.find(key);
    if (entry) this.#camera.goTo(entry.box);
  }

  fit() {
    this.#camera.fit();
  }

  judge(key, judgement) {
    return this.#desk.judge(key, judgement);
  }

  undoEdit() {
    return this.#desk.undo();
  }

  startAdding() {
    if (!this.#editable) return;
    this.#desk.startAdding();
    this.focus({ preventScroll: true });
  }

  /** Offers a layer over the picture, as `Layers.add` takes it. */
  addLayer(layer) {
    this.#layers.add(layer);
  }

  isLayerOn(name) {
    return this.#layers.isOn(name);
  }

  toggleLayer(name, on, options) {
    return this.#layers.toggle(name, on, options);
  }

  renewLayer(name) {
    return this.#layers.renew(name);
  }

  /** Shows a blurred picture as it is, or blurs it again. */
  peek(on) {
    this.#peeking = on && this.hasAttribute("blur");
    this.classList.toggle("peeking", this.#peeking);
    this.#draw();
    this.#exposed();
  }

  /** Draws the place to look at: a box that judges nothing, and can be moved wherever the picture is shown. */
  startLook() {
    this.#desk.startAdding({ look: true });
    this.focus({ preventScroll: true });
  }

  /** Shows a place that was looked at. */
  showLook(box) {
    this.#desk.addLook(box);
    this.#camera.goTo(this.#desk.find(LOOK).box);
  }

  /** The place to look at, in whole original pixels; null where none is drawn. */
  get look() {
    const entry = this.#desk.find(LOOK);
    return entry ? [...entry.box] : null;
  }

  get #editable() {
    return this.hasAttribute("editable");
  }

  #mayEdit(key) {
    return this.#editable || key === LOOK;
  }

  #build() {
    const [width, height] = ["width", "height"].map((name) => Number(this.getAttribute(name)));
    this.#size = { width, height };
    this.#desk = new Desk(JSON.parse(this.querySelector("script.boxes")?.textContent || "[]"), this.#size, {
      draw: () => this.#draw(),
      say: (text) => (this.#live.textContent = text),
      tell: (name, detail) => this.#tell(name, detail),
    });
    this.#picture = new Picture(this, this.#size);
    this.#camera = new Camera(this.#size, () => this.#place());
    this.#overlay = new Overlay();
    this.#layers = new Layers({
      size: this.#size,
      insert: (sheet) => this.#overlay.layer.before(sheet),
      place: () => this.#place(),
      say: (text) => (this.#live.textContent = text),
      tell: (name, detail) => this.#tell(name, detail),
    });
    this.#live = frame.liveRegion();
    this.#hint = frame.hint();
    const help = frame.help();
    const zoom = (factor) => () => this.#camera.zoomBy(factor, undefined, { smoothly: true });
    const tools = frame.tools({ zoomOut: zoom(1 / ZOOM), fit: () => this.fit(), zoomIn: zoom(ZOOM) });
    this.append(this.#overlay.layer, this.#hint, tools, this.#layers.tools.group, this.#overlay.grips, frame.cover(() => this.#uncover()), help, this.#live);
    this.tabIndex = 0;
    this.setAttribute("role", "group");
    this.setAttribute("aria-describedby", help.id);
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "Image with its boxes");
    this.#listen();
    this.#draw();
    this.#load();
  }

  #listen() {
    const viewer = this.#facade();
    new Keys(viewer, new Gestures(viewer));
    this.addEventListener("click", (event) => this.#click(event));
    this.addEventListener("pointerover", ({ target, buttons }) => buttons || this.#hover(target.closest(".viewer-box")));
    this.addEventListener("pointerleave", () => this.#hover(null));
    this.addEventListener("focusin", ({ target }) => this.#focused(target.closest(".viewer-box:focus-visible")));
    this.addEventListener("focusout", ({ relatedTarget }) => {
      this.#hover(null);
      const { active } = this.#desk.editor;
      if (active?.byKeys && relatedTarget !== this.#overlay.node(active.key)) this.#desk.finish();
    });
  }

  /** What gestures and keys act on. */
  #facade() {
    const [element, desk, camera] = [this, this.#desk, this.#camera];
    return {
      element,
      desk,
      camera,
      size: this.#size,
      mayEdit: (key) => element.#mayEdit(key),
      get blurred() {
        return element.hasAttribute("blur");
      },
      get peeking() {
        return element.#peeking;
      },
      pointOf: (event) => this.#pointOf(event),
      peek: (on) => this.peek(on),
      enter: (key) => this.#enter(key),
    };
  }

  /** Enter on a box, or on the element itself with null. */
  #enter(key) {
    if (this.#desk.editor.adding) {
      const { width, height } = this.#camera.frame;
      const at = (part) => toImage(this.#camera.view, { x: width * part, y: height * part });
      const [start, end] = [at((1 - NEW_BOX) / 2), at((1 + NEW_BOX) / 2)];
      this.#desk.beginNew(clampBox([start.x, start.y, end.x, end.y], this.#size), { byKeys: true });
      this.#focusSelected();
      return true;
    }
    if (key !== null && key !== this.selected) this.select(key);
    else return this.startEditing();
    return true;
  }

  #focusSelected() {
    if (this.selected !== null) this.#overlay.node(this.selected).focus({ preventScroll: true });
  }

  #click(event) {
    const { target, detail } = event;
    if (target.closest("button, .viewer-missing, .viewer-handles") || this.#desk.editor.adding) return;
    const key = target.closest(".viewer-box")?.dataset.key ?? null;
    if (key === null) return this.#desk.select(null);
    if (detail === 0) return this.#desk.toggle(key); // not by a pointer
    this.#desk.selectAt(key, toImage(this.#camera.view, this.#pointOf(event)));
  }

  /** Where in the frame. */
  #pointOf({ clientX, clientY }) {
    const { left, top } = this.getBoundingClientRect();
    return { x: clientX - left - this.clientLeft, y: clientY - top - this.clientTop };
  }

  #hover(node) {
    const key = node?.dataset.key ?? null;
    if (key === this.#hovered) return;
    this.#hovered = key;
    this.#tell("box-hover", { key, position: this.#desk.find(key)?.position ?? null });
  }

  /** A box that got the focus by keyboard is brought into view. */
  #focused(node) {
    this.#hover(node);
    if (node) this.#camera.reveal(this.#desk.find(node.dataset.key).box);
  }

  #draw() {
    const { entries, editor, selected, highlighted } = this.#desk;
    const held = this.contains(document.activeElement);
    this.#overlay.show(entries, { selected, highlighted, editable: this.#mayEdit(selected), preview: editor.active });
    if (held && !this.contains(document.activeElement)) this.focus({ preventScroll: true });
    this.classList.toggle("adding", editor.adding);
    this.classList.toggle("editing", Boolean(editor.active));
    this.#hint.textContent = this.#hinted(editor);
    this.#hint.hidden = !this.#hint.textContent;
    const { view, frame } = this.#camera;
    if (view) this.#overlay.place(view, frame);
  }

  #hinted({ adding, active }) {
    if (adding) return HINTS.adding;
    if (active?.byKeys) return HINTS.editing;
    return this.hasAttribute("blur") && this.#picture.loaded && !this.#peeking ? HINTS.blurred : "";
  }

  #place() {
    const { view, frame } = this.#camera;
    if (!view) return;
    this.#picture.place(view, this.#camera.magnification);
    this.#layers.place(view);
    this.#overlay.place(view, frame);
  }

  async #load() {
    const missing = await this.#picture.load();
    if (missing) this.#picture.giveWay(missing, () => this.#again());
    else this.#camera.filePixels = this.#picture.filePixels;
    this.#draw();
    this.#place();
    this.#exposed();
    this.#isReady(!missing);
    if (missing) this.#tell("image-missing", { reason: missing.reason });
  }

  #again() {
    this.#place();
    this.focus({ preventScroll: true });
    this.#load();
  }

  #uncover() {
    this.removeAttribute("crop-first");
    this.focus({ preventScroll: true });
    this.#tell("revealed", {});
  }

  #seen(onScreen) {
    this.#onScreen = onScreen;
    this.#exposed();
  }

  #exposed() {
    const hidden = this.hasAttribute("crop-first") || (this.hasAttribute("blur") && !this.#peeking);
    this.#exposure.set(this.#picture.loaded && this.#onScreen && !hidden && document.visibilityState === "visible");
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

customElements.define("zoom-image", ZoomImage);
