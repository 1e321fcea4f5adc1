// What the model looked at, and how closely: the figures, and what each look saw.
import { numbers, remark, table } from "./elements.js";
import { percent, seenOf } from "./seen.js";

const sides = ([x0, y0, x1, y1]) => `${x1 - x0} × ${y1 - y0}`;

export async function begin(body, about) {
  const seen = await seenOf(about);
  const looks = seen.areas.map(({ position, box, resolution }) => [
    position === null ? "Whole image" : `Crop of box ${position}`,
    sides(box),
    resolution.toFixed(2),
  ]);
  body.append(
    numbers([
      ["At full resolution", percent(seen.share_native)],
      ["At half or more", percent(seen.share_half)],
      ["On average", seen.resolution_mean.toFixed(2)],
      ["Least", seen.resolution_least.toFixed(2)],
    ]),
    table(["Look", "Original pixels", "Resolution"], looks),
    remark("Resolution: pixels that the model was sent, per original pixel of a side. What was not seen closely was not judged closely."),
  );
}
