// Looking closer: a box of the model's or one that is drawn for it, a question if there is one, and the model's answers below each other.
import { send } from "../api.js";
import { entryOf, ENDED } from "./look_entry.js";

const POLL_SECONDS = 1;

export async function begin(body, { item, revision, viewer }) {
  const dialogue = new Dialogue(body, viewer);
  await dialogue.load(`/v1/items/${item}/looks?revision=${revision}`);
  const form = body.querySelector("form");
  if (form) new Asking(form, viewer, (where) => dialogue.ask(`/v1/items/${item}/looks`, { ...where, revision }));
}

class Dialogue {
  #list;
  #said;
  #none;
  #me;
  #viewer;

  constructor(body, viewer) {
    this.#list = body.querySelector(".looks");
    this.#said = body.querySelector("[data-said]");
    this.#none = body.querySelector("[data-none]");
    this.#me = body.closest("[data-me]").dataset.me;
    this.#viewer = viewer;
  }

  async load(path) {
    const { looks } = (await send("GET", path)).body;
    this.#none.hidden = looks.length > 0;
    for (const look of looks) this.#show(look);
  }

  /** Asks, and shows the question at once. What is refused is raised. */
  async ask(path, wanted) {
    const { body: look } = await send("POST", path, { body: wanted });
    this.#show(look, { shown: true });
    this.#said.textContent = ENDED.has(look.state) ? "Asked before: the answer is in the list." : "Asked. The model looks.";
  }

  /** An entry for the look, in the place of the one it had; again every second until it has ended. */
  #show(look, { shown = false } = {}) {
    this.#none.hidden = true;
    const former = this.#list.querySelector(`[data-look="${look.id}"]`);
    const entry = entryOf(look, { mine: look.author === this.#me, viewer: this.#viewer });
    if (former) former.replaceWith(entry);
    else this.#list.append(entry);
    if (look.author === this.#me && shown) entry.scrollIntoView({ block: "nearest" });
    if (!ENDED.has(look.state)) setTimeout(() => this.#again(look, entry), POLL_SECONDS * 1000);
  }

  async #again(look, entry) {
    if (!entry.isConnected) return; // the task is answered, or another request has shown it meanwhile
    let now = look;
    try {
      now = (await send("GET", `/v1/looks/${look.id}`)).body;
    } catch (error) {
      if (error.status > 0 && error.status < 500) now = { ...look, state: "failed", error: { message: error.message } };
    }
    if (now.state === look.state) setTimeout(() => this.#again(look, entry), POLL_SECONDS * 1000);
    else this.#show(now, { shown: true });
    if (ENDED.has(now.state)) this.#said.textContent = `Look ${now.number}: ${now.answer?.finding ?? now.error?.message ?? "could not be read"}`;
  }
}

// Where to look, what to ask, and the button.
class Asking {
  #form;
  #viewer;
  #ask;
  #where = null; // as the API takes it
  #box = null; // the place that was drawn last

  constructor(form, viewer, ask) {
    this.#form = form;
    this.#viewer = viewer;
    this.#ask = ask;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the page's own forms are listened to from above
      this.#submit();
    });
    if (!viewer) {
      form.querySelector("[data-where]").textContent = "There is no picture to draw on.";
      return;
    }
    const draw = form.querySelector("[data-draw]");
    draw.disabled = false;
    draw.addEventListener("click", () => viewer.startLook());
    viewer.addEventListener("boxes-change", () => this.#drawn());
    viewer.addEventListener("box-select", ({ detail }) => this.#selected(detail));
    this.#drawn();
    this.#selected({ key: viewer.selected, position: Number(viewer.selected) || null });
  }

  /** What was drawn counts when it is new, or selected again; else what was selected since. */
  #drawn({ again = false } = {}) {
    const box = this.#viewer.look;
    const changed = String(box) !== String(this.#box);
    this.#box = box;
    if (box && (changed || again)) this.#at({ box }, sized(box));
    else if (!box && this.#where?.box) this.#at(null, "or select one of the model's.");
  }

  #selected({ key, position }) {
    if (position !== null) this.#at({ region: position }, `Box ${position}`);
    else if (key === "look") this.#drawn({ again: true });
  }

  #at(where, told) {
    this.#where = where;
    this.#form.querySelector("[data-where]").textContent = told;
    this.#button.disabled = where === null;
  }

  get #button() {
    return this.#form.querySelector("[type=submit]");
  }

  async #submit() {
    if (this.#where === null || this.#button.disabled) return;
    const { question } = this.#form.elements;
    this.#complain("");
    this.#button.disabled = true;
    try {
      await this.#ask({ ...this.#where, question: question.value });
      question.value = "";
    } catch (error) {
      this.#complain(error.message);
    }
    this.#button.disabled = this.#where === null;
  }

  #complain(message) {
    const place = this.#form.querySelector(".problem");
    place.textContent = message;
    place.hidden = !message;
  }
}

const sized = ([x0, y0, x1, y1]) => `${x1 - x0} × ${y1 - y0} pixels at ${x0}, ${y0}`;
