// Where the model attended: a map of the verdict is asked for and waited for here, and its figures told.
import { attentionOf, HONESTY, nameOf } from "./attention_map.js";
import { made, numbers, remark } from "./elements.js";

const SLOW = 20_000; // milliseconds; after that, why it takes so long may interest

export async function begin(body, { item, revision, viewer }) {
  const attention = attentionOf({ item, revision });
  const panel = body.closest("details");
  const mayAsk = "mayAsk" in panel.dataset;
  await attention.look();
  const place = made("div", { className: "stack" });
  body.append(place);
  await show();

  /** What is shown now. A focus on what goes is left at the panel: from there Tab goes on, and no list swallows letters. */
  function fill(...parts) {
    const here = place.contains(document.activeElement);
    place.replaceChildren(...parts);
    if (!here) return;
    panel.tabIndex = -1;
    panel.focus({ preventScroll: true });
  }

  async function show() {
    if (!attention.underWay) return fill(...(attention.map ? drawn() : [offer()]));
    const line = status(waits(attention.job, 0));
    fill(line);
    const since = performance.now();
    const came = await attempt(() =>
      attention.wait((job) => {
        const now = waits(job, performance.now() - since);
        if (line.textContent !== now) line.textContent = now; // it is read out: once is enough
        return body.isConnected;
      }),
    );
    if (!came || !body.isConnected) return;
    if (attention.map) viewer?.toggleLayer("attention", true);
    await show();
  }

  function offer() {
    if (!mayAsk) return remark("No map was drawn of this verdict.");
    const button = made("button", { type: "button", className: "quiet", textContent: attention.job ? "Draw it again" : "Draw an attention map" });
    button.addEventListener("click", async () => {
      fill(status("Asking for an attention map…"));
      if (await attempt(() => attention.ask())) await show();
    });
    const said = attention.job?.error
      ? Object.assign(remark(`The map was not drawn, and the verdict stands: ${attention.job.error.message}`, "small"), { role: "alert" })
      : remark("Where the model attended when it said so, drawn from the same weights, prompt and pixels. It takes some seconds, and is recorded.");
    return made("div", { className: "stack" }, said, button);
  }

  /** Whether it worked; what did not is said. */
  async function attempt(work) {
    try {
      await work();
      return true;
    } catch (error) {
      attention.job = null;
      const again = made("button", { type: "button", className: "quiet", textContent: "Try again" });
      again.addEventListener("click", async () => {
        if (await attempt(() => attention.look())) await show();
      });
      fill(Object.assign(remark(error.message, "bad"), { role: "alert" }), again);
      return false;
    }
  }

  function drawn() {
    const { map } = attention;
    const figures =
      map.ratio === null
        ? remark("No box was named, or none of the attention lies on the whole image: there is nothing to compare.")
        : numbers([
            ["Attention inside boxes", share(map.mass_in_regions)],
            ["The same area by chance", share(map.mass_in_random)],
            ["Times chance", map.ratio.toFixed(1)],
            ["Peak inside a box", map.pointing_game ? "yes" : "no"],
          ]);
    const honest = HONESTY[map.training] ? [remark(HONESTY[map.training], "honesty")] : [];
    const gap = `Its own log-probabilities differ from the recorded ones by ${map.logprob_gap.toFixed(4)}; where they differ much, no map is drawn. Drawn in ${map.seconds.toFixed(1)} s.`;
    const links = made("p", { className: "row small" }, link(attention.overlay, "Picture with its legend"), link(attention.values, "Values (NumPy)"));
    return [...honest, figures, choice(map, links), links, remark(gap)];
  }

  function choice(map, links) {
    const select = made("select", { id: `attention-of-${item}-${revision}` }, ...map.targets.map((target) => new Option(nameOf(target), target.name, false, target.name === attention.target)));
    select.addEventListener("change", async () => {
      attention.target = select.value;
      links.querySelector("a").href = attention.overlay;
      await viewer?.renewLayer("attention");
      await viewer?.toggleLayer("attention", true);
    });
    return made("div", {}, made("label", { htmlFor: select.id, className: "small", textContent: "Attention of" }), select);
  }
}

const waits = (job, milliseconds) => {
  if (job.error) return `It is tried again: ${job.error.message}`;
  return milliseconds > SLOW ? "It still waits. Maps are drawn by a worker of their own, one after the other: is it running?" : "An attention map is being drawn…";
};
const share = (mass) => `${(mass * 100).toFixed(1)} %`;
const status = (text) => Object.assign(remark(text), { role: "status" });
const link = (href, textContent) => made("a", { href, textContent, target: "_blank", rel: "noopener" });
