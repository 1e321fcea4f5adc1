// One claimed task: its picture and boxes, its form, and the draft that outlives a lost claim, a reload and a new sign-in.
import { send } from "../api.js";
import { prepare, reveal } from "../explaining/panels.js";
import { apply, preferences } from "./preferences.js";

const SUGGESTED = {}; // the clause that was last chosen for each verdict, in this sitting

export class Task {
  constructor(article) {
    this.article = article;
    this.form = article.querySelector("form.answer");
    this.viewer = article.querySelector("zoom-image");
    this.id = Number(article.dataset.task);
    this.sending = false;
    this.selected = null;
    this.claimed(article.dataset.token, Number(article.dataset.version));
    this.#link();
    if (this.viewer) apply(this.viewer, preferences());
    this.#restore();
    this.#changed();
    this.#loadLazily();
    prepare(article, this.viewer);
  }

  claimed(token, version) {
    this.token = token;
    this.version = version;
  }

  get key() { return `draft ${this.article.dataset.item} ${this.article.dataset.revision}`; }
  get verdict() { return this.form.elements.verdict.value; }
  get typed() { return this.form.elements.note.value.trim(); }
  get begun() { return Boolean(this.verdict || this.typed || this.viewer?.judgements().length); }
  get spoken() { return `${this.article.querySelector("h1").textContent}. ${this.article.querySelector(".verdict")?.textContent ?? ""} ${this.article.querySelectorAll("li.region").length} boxes.`; }

  field(name) { return this.form.elements[name] ?? null; }

  show() {
    this.article.hidden = false;
    this.article.focus({ preventScroll: true });
    this.article.querySelector(".facts").scrollTop = 0;
    if (this.article.dataset.contested && this.selected === null) this.select(this.article.dataset.contested);
    const text = this.article.querySelector(".explanation");
    if (text) this.article.querySelector(".more").hidden = text.scrollHeight <= text.clientHeight + 2;
  }

  hide() { this.article.hidden = true; }
  remove() { this.article.remove(); }

  // Chooses a verdict, and what usually goes with it; the reviewer can change all of it before it is recorded.
  choose(verdict) {
    this.complain("");
    this.form.elements.verdict.value = verdict;
    const action = this.field("action");
    action.value = verdict === "generated" ? action.dataset.last ?? "label" : "none";
    const clause = this.field("clause");
    if (clause) { clause.value = verdict === "unsure" ? "" : SUGGESTED[verdict] ?? ""; this.#suggestReason(); }
    this.#changed();
  }

  // Whether the form can be sent; says what is missing, and goes there.
  complete() {
    const judges = this.verdict === "real" || this.verdict === "generated";
    const missing = !this.verdict ? ["verdict", "Choose a verdict first: approve, reject or unsure."]
      : judges && this.field("clause") && !this.field("clause").value ? ["clause", "Choose the policy clause that your answer rests on."]
      : !this.typed ? ["note", "Write the reason: whoever looks at this later reads it."]
      : null;
    if (missing) this.complain(missing[1], [], missing[0]);
    else this.complain("");
    return !missing;
  }

  // Shows a message above the form, marks the field it is about, and goes there unless it is to `stay`.
  complain(message, faults = [], field = null, { stay = false } = {}) {
    const place = this.form.querySelector(".problem");
    place.textContent = message;
    place.hidden = !message;
    const named = field ?? faults.map((fault) => fault.pointer.replace("#/", "")).find((name) => this.field(name));
    for (const input of this.form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    if (!named || stay) return;
    const target = named === "verdict" ? this.form.querySelector("input[name=verdict]") : this.field(named);
    if (named !== "verdict") target.setAttribute("aria-invalid", "true");
    target.focus();
  }

  // The answer as the API wants it.
  answer(undoSeconds) {
    const { verdict, action, clause, note } = this.#values();
    return {
      verdict, note, action: verdict === "generated" ? action : "none", undo_seconds: undoSeconds,
      ...(clause && verdict !== "unsure" ? { clause } : {}),
      ...(this.viewer ? { exposure_seconds: Math.round(this.viewer.exposureSeconds * 10) / 10, judgements: this.viewer.judgements() } : {}),
    };
  }

  // Boxes by their key: "1"…, "a1"… for added ones; "0" is the whole image.
  select(key) {
    if (!this.viewer) return;
    if (key === "0") { this.viewer.fit(); key = null; }
    if (key !== null && !this.viewer.boxes.some((box) => box.key === key)) return;
    this.viewer.select(key);
    this.#selected(key);
  }

  judge(kind) {
    if (!this.viewer || this.selected === null) return;
    if (kind === "move") { this.viewer.startEditing(this.selected); return; }
    const box = this.viewer.boxes.find((one) => one.key === this.selected);
    this.viewer.judge(this.selected, box?.judgement === kind ? null : kind);
  }

  lookClosely() { if (this.viewer && this.selected !== null) this.viewer.focusBox(this.selected); }

  // The place that the model is to look at, drawn by hand.
  lookCloser() {
    reveal(this.article, "looks");
    this.viewer?.startLook();
  }

  showMore() {
    this.article.querySelector(".explanation").classList.add("whole");
    this.article.querySelector(".more").hidden = true;
  }

  // Keeps what was typed for this image in the browser's tab; `forget` when it has arrived.
  keep() {
    const judgements = this.viewer?.judgements() ?? [];
    if (!this.verdict && !this.typed && !judgements.length) this.forget();
    else sessionStorage.setItem(this.key, JSON.stringify({ ...this.#values(), judgements }));
  }

  forget() { sessionStorage.removeItem(this.key); }

  #restore() {
    const kept = sessionStorage.getItem(this.key);
    if (!kept) return;
    const { judgements, ...values } = JSON.parse(kept);
    for (const [name, value] of Object.entries(values)) if (this.field(name)) this.field(name).value = value;
    this.viewer?.applyJudgements(judgements);
  }

  #values() {
    return Object.fromEntries(["verdict", "action", "clause", "note"].map((name) => [name, this.field(name)?.value.trim() ?? ""]));
  }

  #changed() {
    this.form.dataset.verdict = this.verdict;
    this.article.querySelector('[data-field="action"]').hidden = this.verdict !== "generated";
    const clause = this.article.querySelector('[data-field="clause"]');
    if (clause) clause.hidden = this.verdict === "unsure" || !this.verdict;
    this.#showJudgements();
  }

  #suggestReason() {
    const clause = this.field("clause"), note = this.field("note");
    if (note.value && note.value !== note.dataset.suggested) return; // the reviewer's own words stay
    note.value = note.dataset.suggested = clause.selectedOptions[0]?.dataset.reason ?? "";
  }

  // Hover and selection go from box to crop to sentence, and back.
  #link() {
    const { article, viewer } = this;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => { this.complain(""); this.#changed(); this.keep(); });
    this.form.addEventListener("change", (event) => {
      if (event.target.name === "verdict") this.choose(event.target.value);
      if (event.target.name === "action") event.target.dataset.last = event.target.value;
      if (event.target.name === "clause") { SUGGESTED[this.verdict] = event.target.value; this.#suggestReason(); }
      this.keep();
    });
    if (!viewer) return;
    for (const part of article.querySelectorAll("[data-position], [data-positions]")) {
      const keys = (part.dataset.positions ?? part.dataset.position).split(" ");
      for (const begin of ["pointerenter", "focusin"]) part.addEventListener(begin, () => this.#highlight(keys, true));
      for (const end of ["pointerleave", "focusout"]) part.addEventListener(end, () => this.#highlight([], true));
    }
    viewer.addEventListener("box-hover", (event) => this.#highlight(event.detail.position === null ? [] : [String(event.detail.position)], false));
    viewer.addEventListener("box-select", (event) => this.#selected(event.detail.key));
    viewer.addEventListener("boxes-change", () => { this.#showJudgements(); this.keep(); });
  }

  #highlight(keys, tellViewer) {
    if (tellViewer) this.viewer.highlight(keys[0] ?? null);
    for (const part of this.article.querySelectorAll("[data-position], [data-positions]")) {
      const own = (part.dataset.positions ?? part.dataset.position).split(" ");
      part.classList.toggle("lit", own.some((key) => keys.includes(key)));
    }
  }

  #selected(key) {
    this.selected = key;
    for (const region of this.article.querySelectorAll("li.region")) {
      const chosen = region.dataset.position === key;
      region.classList.toggle("selected", chosen);
      if (chosen) this.#scrollTo(region);
    }
  }

  // Within the panel beside the picture; where the panel is below it, the picture stays in view.
  #scrollTo(region) {
    const panel = this.article.querySelector(".facts");
    const above = region.offsetTop - panel.offsetTop - 8, below = above + region.offsetHeight + 16 - panel.clientHeight;
    if (panel.scrollTop > above) panel.scrollTop = above;
    else if (panel.scrollTop < below) panel.scrollTop = Math.min(above, below);
  }

  #showJudgements() {
    if (!this.viewer) return;
    const boxes = this.viewer.boxes;
    for (const region of this.article.querySelectorAll("li.region")) {
      const judgement = boxes.find((box) => box.key === region.dataset.position)?.judgement ?? "";
      region.dataset.judgement = judgement;
      for (const button of region.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", String(button.dataset.command === judgement));
    }
    const added = boxes.filter((box) => box.judgement === "add").length;
    this.article.querySelector("[data-added]").textContent = added ? `${added} added` : "";
  }

  async #loadLazily() {
    for (const place of this.article.querySelectorAll(".lazy[data-src]")) {
      const answer = await send("GET", place.dataset.src).catch(() => null); // without it, there is nothing to tick
      if (answer?.status === 200) place.append(...new DOMParser().parseFromString(answer.body, "text/html").body.childNodes);
    }
  }
}
