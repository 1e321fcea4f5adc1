// One look in the list: who asked what, where, and what the model said. All of it is text of people and models, and stays text.
import { localTimes } from "../page.js";
import { made } from "./elements.js";

export const ENDED = new Set(["answered", "unreadable", "failed"]);
const STATES = {
  waiting: "Waits for the model.",
  looking: "The model looks.",
  unreadable: "The model answered, twice, in a way that could not be read.",
};

const words = (text, className = "untrusted") => made("p", { className, dir: "auto", textContent: text });

/** `mine`: whether the reader asked it. With a viewer, its place can be shown there. */
export function entryOf(look, { mine, viewer }) {
  const entry = made("li", { className: "look" }, heading(look, mine, viewer));
  entry.dataset.look = look.id;
  entry.dataset.state = look.state;
  if (look.question) entry.append(words(`“${look.question}”`, "untrusted asked"));
  if (look.answer) entry.append(...answered(look));
  if (look.state === "failed") entry.append(words(`It could not be looked at: ${look.error.message}`, "bad"));
  else if (STATES[look.state]) entry.append(made("p", { className: "muted", textContent: STATES[look.state] }));
  localTimes(entry);
  return entry;
}

function heading({ number, author, box, region, created_at }, mine, viewer) {
  const who = mine ? "you" : author.replace(/:(.{8}).*/, " $1");
  const time = made("time", { dateTime: created_at, textContent: created_at });
  const line = made("p", { className: "row" }, made("strong", { textContent: `Look ${number}` }), made("span", { className: "muted" }, `${who}, `, time));
  if (viewer) {
    const [x0, y0, x1, y1] = box;
    const place = region === null ? `${x1 - x0} × ${y1 - y0} pixels at ${x0}, ${y0}` : `box ${region}`;
    const button = made("button", { type: "button", className: "quiet", textContent: place });
    button.setAttribute("aria-label", `Show where look ${number} was: ${place}`);
    button.addEventListener("click", () => viewer.showLook(box));
    line.append(button);
  }
  return line;
}

function answered({ number, question, answer }) {
  const [x0, y0, x1, y1] = answer.crop_box;
  const picture = made("img", {
    src: answer.crop,
    alt: `Crop of look ${number}, as the model saw it`,
    width: Math.round((x1 - x0) * answer.scale),
    height: Math.round((y1 - y0) * answer.scale),
  });
  const parts = [made("div", { className: "crop" }, picture)];
  if (answer.verdict) parts.push(words(answer.finding || "It found nothing to say."), words(answer.explanation, "untrusted muted"), words(scored(answer), "small"));
  if (question && !answer.question_put) parts.push(words("The model that looked cannot be asked: it only says what it finds there.", "small warn"));
  if (answer.other_release) parts.push(words(`Another model looked than the one that judged: ${answer.release}.`, "small warn"));
  if (answer.training !== "trained") parts.push(words(answer.honesty, "honesty"));
  return parts;
}

const scored = ({ verdict, p_generated: p }) =>
  `Of this crop alone it says ${verdict}${p === null ? "" : ` (${p.toFixed(2)}, not calibrated)`}. That is no verdict on the image.`;
