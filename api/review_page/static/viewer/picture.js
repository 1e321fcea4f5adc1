// What is scaled: the image and its veil while it is blurred, or a neutral ground where the image is missing.

import { ground, missing } from "./frame.js";
import { veil } from "./veil.js";
import { whyMissing } from "./missing.js";

const PIXELATED_FROM = 4; // CSS pixels for each of the file's: from here on single pixels are meant to be seen
const SETTLED = 200; // milliseconds without a new view, after which the picture is drawn sharp again

export class Picture {
  loaded = false;
  #element;
  #image;
  #size;
  #shown = []; // the lowest first
  #settling;

  /** Of the element's <img>, which is missing if there is none. */
  constructor(element, size) {
    this.#element = element;
    this.#size = size;
    this.#image = element.querySelector("img");
    if (this.#image) this.#take(this.#image);
  }

  get filePixels() {
    return this.#image.naturalWidth;
  }

  /** Waits until the image is decoded. Answers null, or {reason, lasting} when it is missing. */
  async load() {
    await this.#image?.decode().catch(() => {}); // whether it failed is seen from its size
    this.loaded = Boolean(this.#image?.naturalWidth);
    if (!this.loaded) return whyMissing(this.#image?.src);
    if (this.#element.hasAttribute("blur")) this.blur();
    return null;
  }

  /** Sees to it that there is a veil, once there is something to hide. */
  blur() {
    if (this.loaded && this.#shown.length < 2) this.#take(this.#image, veil(this.#image));
  }

  place({ x, y, scale }, magnification) {
    const { classList } = this.#element;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => classList.remove("moving"), SETTLED);
    classList.add("moving"); // a texture while it moves, and drawn anew for its scale once it rests
    classList.toggle("pixelated", magnification >= PIXELATED_FROM);
    for (const { style } of this.#shown) style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }

  /** Says why there is no picture; `again` is called when somebody wants it tried again, and `lasting` reasons leave no hope for that. */
  giveWay({ reason, lasting }, again) {
    const stand = ground();
    const retry = () => {
      this.#element.classList.remove("missing");
      for (const part of [stand, note]) part.remove();
      this.#image.src = this.#image.src;
      this.#take(this.#image);
      again();
    };
    const note = missing(reason, lasting ? null : retry);
    this.#take(stand);
    this.#element.classList.add("missing");
    this.#element.append(note);
  }

  #take(...pictures) {
    this.#shown = pictures;
    for (const picture of pictures) {
      picture.classList.add("viewer-picture");
      picture.draggable = false;
      picture.style.width = `${this.#size.width}px`;
      picture.style.height = `${this.#size.height}px`;
    }
    this.#element.prepend(...pictures.filter((picture) => !picture.isConnected));
  }
}
