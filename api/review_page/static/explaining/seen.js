// What was seen of an image: asked for once, for the panel and the layer.
import { send } from "../api.js";

const asked = new Map(); // path → promise of the body

export function seenOf({ item, revision }) {
  const path = `/v1/items/${item}/coverage?revision=${revision}`;
  if (!asked.has(path)) {
    const answer = send("GET", path).then(({ body }) => body);
    answer.catch(() => asked.delete(path)); // the next one asks again
    asked.set(path, answer);
  }
  return asked.get(path);
}

/** Resolutions as people read them: "0.29", and "full" from 0.95 on. */
export const STEPS = [
  { from: 0.95, label: "full resolution" },
  { from: 0.5, label: "half or more" },
  { from: 0.25, label: "a quarter or more" },
  { from: 0.125, label: "an eighth or more" },
  { from: 0, label: "less" },
];

export const stepOf = (resolution) => STEPS.findIndex(({ from }) => resolution >= from);

export const percent = (share) => (share > 0 && share < 0.01 ? "under 1 %" : `${Math.floor(share * 100 + 1e-6)} %`); // 0.29 × 100 is 28.999…
