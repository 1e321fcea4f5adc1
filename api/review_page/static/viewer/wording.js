// What is said to people: names of boxes, and sentences for the live region and the hint.

import { LOOK } from "./boxes.js";

const LONGEST_LABEL = 160; // characters; a model may write 10,000, and a screen reader would read them all
const SAID = { accept: "accepted", reject: "rejected", move: "moved", add: "added" };
const MARKS = { accept: "✓", reject: "✕", move: "↔", add: "+" };

export const HINTS = {
  adding: "Drag a box, or press Enter to place one in the middle. Escape leaves.",
  editing: "Arrows move, Alt and arrows resize, Shift in fine steps. Enter keeps, Escape restores.",
  blurred: "Blurred: hold the pointer on it, or press V, to see it.",
};
export const HELP = "Plus and minus zoom, 0 fits, arrows pan. Tab goes through the boxes, Enter selects one and then edits it.";

export const nameOf = ({ key, position }) => (key === LOOK ? "Place to look at" : position === null ? `Added box ${key.slice(1)}` : `Box ${position}`);

/** "Box 1: hand with six fingers, accepted" */
export function labelOf(entry) {
  const characters = Array.from(entry.label);
  const label = characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL).join("")}…` : entry.label;
  const said = SAID[entry.judgement] && entry.judgement !== "add" ? `, ${SAID[entry.judgement]}` : "";
  return `${nameOf(entry)}${label && `: ${label}`}${said}`;
}

/** What the badge shows: the number, and how it is judged by a sign, not by colour alone. */
export const badgeOf = ({ key, position, judgement }) =>
  key === LOOK ? "⌕" : position === null ? `+${key.slice(1)}` : `${position}${judgement ? ` ${MARKS[judgement]}` : ""}`;

/** "left 120, top 40, 300 by 200 pixels" */
export function placeOf(box) {
  const [x0, y0, x1, y1] = box.map(Math.round);
  return `left ${x0}, top ${y0}, ${x1 - x0} by ${y1 - y0} pixels`;
}

/** "Box 2 moved: left 120, top 40, 300 by 200 pixels" */
export function judged(entry) {
  if (entry.judgement === null) return `${nameOf(entry)}: no judgement`;
  if (entry.position === null) return `${nameOf(entry)}: ${placeOf(entry.box)}`;
  return `${nameOf(entry)} ${SAID[entry.judgement]}${entry.judgement === "move" ? `: ${placeOf(entry.box)}` : ""}`;
}
