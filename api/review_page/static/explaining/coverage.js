// What the model looked at, and how closely: the figures, and what each look saw.
import { percent, seenOf } from "./seen.js";

const made = (tag, properties = {}, ...parts) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...parts);
  return element;
};

const sides = ([x0, y0, x1, y1]) => `${x1 - x0} × ${y1 - y0}`;

export async function begin(body, about) {
  const seen = await seenOf(about);
  const figures = [
    ["Seen at full resolution", percent(seen.share_native)],
    ["At half or more", percent(seen.share_half)],
    ["On average", seen.resolution_mean.toFixed(2)],
    ["At least", seen.resolution_least.toFixed(2)],
  ];
  const list = made("dl", { className: "numbers" }, ...figures.flatMap(([name, value]) => [made("dt", { textContent: name }), made("dd", { textContent: value })]));
  const rows = seen.areas.map(({ position, box, resolution }) =>
    made("tr", {}, made("th", { scope: "row", textContent: position === null ? "Whole image" : `Crop of box ${position}` }), number(sides(box)), number(resolution.toFixed(2))));
  const head = made("tr", {}, ...["Look", "Original pixels", "Resolution"].map((name, column) => made("th", { scope: "col", className: column ? "number" : "", textContent: name })));
  const note = made("p", { className: "muted small", textContent: "Resolution: pixels that the model was sent, per original pixel of a side. What was never seen closely cannot have been judged closely." });
  body.append(list, made("table", { className: "small" }, made("thead", {}, head), made("tbody", {}, ...rows)), note);
}

const number = (text) => made("td", { className: "number", textContent: text });
