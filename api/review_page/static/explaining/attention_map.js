// The attention map of one verdict: looked for, asked for, waited for; and which of its targets is shown. Panel and layer share it.
import { send } from "../api.js";

const POLL = 1_000; // milliseconds; a map takes seconds
const known = new Map();

export function attentionOf({ item, revision }) {
  const key = `${item} ${revision}`;
  if (!known.has(key)) known.set(key, new Attention(item, revision));
  return known.get(key);
}

class Attention {
  map = null; // as the API has it
  job = null; // the one that is to draw it, while it is not done
  target = null; // the name of what is shown
  #item;
  #revision;

  constructor(item, revision) {
    this.#item = item;
    this.#revision = revision;
  }

  get underWay() {
    return this.job?.state === "waiting" || this.job?.state === "running";
  }

  get layer() {
    return `/v1/attention-maps/${this.map.id}/layers/${this.target}`;
  }

  get overlay() {
    return `/v1/attention-maps/${this.map.id}/overlay?target=${this.target}`;
  }

  get values() {
    return `/v1/attention-maps/${this.map.id}/values`;
  }

  async look() {
    const { body } = await send("GET", `/v1/items/${this.#item}/attention-maps`);
    const ours = ({ revision }) => revision === this.#revision;
    this.#take(body.maps.find(ours) ?? null, body.jobs.find(ours) ?? null);
  }

  async ask() {
    const { body } = await send("POST", `/v1/items/${this.#item}/attention-maps`, { body: { revision: this.#revision } });
    this.#take(body.map, body.map ? null : body.job);
  }

  /** Until the map is there, or is not to be had; or until `goOn`, which is told the job every time, says no. */
  async wait(goOn) {
    while (this.underWay && goOn(this.job)) {
      await new Promise((later) => setTimeout(later, POLL));
      if (!document.hidden) await this.look();
    }
  }

  #take(map, job) {
    this.map = map;
    this.job = job;
    if (map && !map.targets.some(({ name }) => name === this.target)) this.target = map.targets[0].name;
  }
}

/** What is to be said wherever a map is shown, by the training of the model that is shown. */
export const HONESTY = {
  untrained: "UNTRAINED model: what it attends to means nothing.",
  zero_shot: "ZERO-SHOT model: it was never trained to tell generated images, and this is where it looked all the same.",
};

const KINDS = {
  // a map of a verdict is of what speaks for “generated”, whichever of the two it is
  verdict: ({ stage, text }) => (text === "generated" ? `The ${stage}'s verdict: generated` : `What spoke for “generated”, though the ${stage} said ${text}`),
  sentence: ({ stage, number, text }) => `${SEVERAL.test(text) ? `Sentences from ${number} on` : `Sentence ${number}`} of the ${stage}: ${text}`,
  box: ({ number }) => `Box ${number}`,
};
const SEVERAL = /(?:[.!?]\s|\n)\s*\S/u; // a long explanation's last sentences have one map together
const LONGEST = 80; // characters of a model's text in a list
const HIDDEN = /[\p{Cc}\p{Cf}]/gu; // what is not seen, or changes how other text is

/** What a map shows the attention of. */
export function nameOf(target) {
  const characters = Array.from((KINDS[target.kind]?.(target) ?? target.name).replace(HIDDEN, ""));
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST).join("")}…` : characters.join("");
}
