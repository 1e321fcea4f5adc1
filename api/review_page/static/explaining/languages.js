// The explanation in another language: chosen here, asked for where it is not there yet, and shown beside the original.
import { send } from "../api.js";

const PLACE = "explanation language"; // in this browser: what was chosen last
const PAUSE = 1_500; // milliseconds between looks at a job
const SLOW = 20_000; // milliseconds; after that, why it takes so long may interest

const pause = () => new Promise((done) => setTimeout(done, PAUSE));

export async function begin(body, { item, revision }) {
  const place = Object.assign(document.createElement("div"), { className: "stack" });
  body.append(place);
  await load();
  const remembered = localStorage.getItem(PLACE);
  const option = [...(select()?.options ?? [])].find((one) => one.value === remembered);
  if (option) select().value = remembered;
  if (option?.dataset.state === "there") show(remembered);

  function select() {
    return place.querySelector("select");
  }

  async function load() {
    const answer = await send("GET", `/review/items/${item}/translations?revision=${revision}`);
    const chosen = select()?.value;
    place.replaceChildren(...new DOMParser().parseFromString(answer.body, "text/html").body.childNodes);
    if (chosen) select().value = chosen;
    place.querySelector("[data-show]")?.addEventListener("click", choose);
  }

  function choose() {
    translate(select().value).catch((error) => say(error.message, { failed: true }));
  }

  async function translate(language) {
    localStorage.setItem(PLACE, language);
    if (show(language)) return;
    const { body: asked } = await send("POST", `/v1/items/${item}/translations`, { body: { language, revision } });
    if (asked.job) await wait(asked.job.id);
    if (!body.isConnected) return;
    await load();
    if (!show(language)) say("It is not there. Ask again.", { failed: true });
  }

  async function wait(job) {
    const since = performance.now();
    for (;;) {
      if (!body.isConnected) return;
      const { body: now } = await send("GET", `/v1/explanation-jobs/${job}`);
      if (now.state === "done") return;
      if (now.state === "failed") throw new Error(`There is no translation, and the verdict stands as it is: ${now.error.message}`);
      const late = performance.now() - since > SLOW;
      say(now.error ? `It is tried again: ${now.error.message}` : late ? "It still waits for a worker that has a model." : "It is being translated, and then verified…");
      await pause();
    }
  }

  // Whether there is one in the language, which is shown then, and no other.
  function show(language) {
    const translations = [...place.querySelectorAll("section.translation")];
    if (!translations.some((one) => one.dataset.language === language)) return false;
    for (const one of translations) one.hidden = one.dataset.language !== language;
    say("");
    return true;
  }

  function say(text, { failed = false } = {}) {
    const said = place.querySelector("[data-said]");
    said.hidden = text === "";
    said.textContent = text;
    said.classList.toggle("bad", failed);
    said.classList.toggle("muted", !failed);
  }
}
