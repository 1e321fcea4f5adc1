// Arithmetic on boxes and views; pure.
//
// A box is [x0, y0, x1, y1] in the original's oriented pixels, half-open. A view is {scale, x, y}: an original pixel (px, py) is shown
// at (px * scale + x, py * scale + y) of the frame, in CSS pixels. Sizes are {width, height}, points {x, y}.

export const SMALLEST_SIDE = 1; // original pixels: what the API takes

const between = (value, low, high) => Math.min(Math.max(value, low), high);

/** The part of a box that is inside the image, corners in order, each side at least one pixel; a box outside becomes a sliver at the edge. */
export function clampBox([x0, y0, x1, y1], size) {
  const [left, right] = clampSide(Math.min(x0, x1), Math.max(x0, x1), size.width);
  const [top, bottom] = clampSide(Math.min(y0, y1), Math.max(y0, y1), size.height);
  return [left, top, right, bottom];
}

function clampSide(low, high, length) {
  const start = between(low, 0, length - SMALLEST_SIDE);
  return [start, between(high, start + SMALLEST_SIDE, length)];
}

/** Whole pixels, inside the image, each side at least one. */
export const wholeBox = (box, size) => clampBox(clampBox(box, size).map(Math.round), size);

/** The box shifted, its size kept, as far as the image allows. */
export function movedBox([x0, y0, x1, y1], dx, dy, size) {
  const right = between(dx, -x0, size.width - x1);
  const down = between(dy, -y0, size.height - y1);
  return [x0 + right, y0 + down, x1 + right, y1 + down];
}

/** The box with the named edges shifted; `edges` holds letters of n, e, s, w. An edge stops before the opposite one and at the image's. */
export function resizedBox([x0, y0, x1, y1], edges, dx, dy, size) {
  return [
    edges.includes("w") ? between(x0 + dx, 0, x1 - SMALLEST_SIDE) : x0,
    edges.includes("n") ? between(y0 + dy, 0, y1 - SMALLEST_SIDE) : y0,
    edges.includes("e") ? between(x1 + dx, x0 + SMALLEST_SIDE, size.width) : x1,
    edges.includes("s") ? between(y1 + dy, y0 + SMALLEST_SIDE, size.height) : y1,
  ];
}

export const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

export const sameBox = (one, other) => one.every((corner, at) => corner === other[at]);

export const toImage = (view, point) => ({ x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale });

/** Where a box is shown in the frame, on whole CSS pixels so that its lines stay sharp. */
export function toFrame(view, [x0, y0, x1, y1]) {
  const [left, top] = [Math.round(x0 * view.scale + view.x), Math.round(y0 * view.scale + view.y)];
  const [right, bottom] = [Math.round(x1 * view.scale + view.x), Math.round(y1 * view.scale + view.y)];
  return { left, top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
}

/** The scale at which all of `size` is seen in a frame with a margin around. */
export const fittingScale = (size, frame, margin) =>
  Math.max(Math.min((frame.width - 2 * margin) / size.width, (frame.height - 2 * margin) / size.height), 1e-6);

/** The view with the box's middle in the frame's middle. */
export function centredView([x0, y0, x1, y1], scale, frame) {
  return { scale, x: (frame.width - (x0 + x1) * scale) / 2, y: (frame.height - (y0 + y1) * scale) / 2 };
}

/** The view at another scale in which the pixel under `point` stays under it. */
export function zoomedView(view, scale, point) {
  const ratio = scale / view.scale;
  return { scale, x: point.x - (point.x - view.x) * ratio, y: point.y - (point.y - view.y) * ratio };
}

/** The view with an axis that fits centred, and one that does not without a gap wider than `margin`. */
export function settledView(view, size, frame, margin) {
  return {
    scale: view.scale,
    x: settledOffset(view.x, size.width * view.scale, frame.width, margin),
    y: settledOffset(view.y, size.height * view.scale, frame.height, margin),
  };
}

function settledOffset(offset, shown, available, margin) {
  return shown + 2 * margin <= available ? (available - shown) / 2 : between(offset, available - shown - margin, margin);
}

export const mixedView = (from, to, part) => ({
  scale: from.scale + (to.scale - from.scale) * part,
  x: from.x + (to.x - from.x) * part,
  y: from.y + (to.y - from.y) * part,
});
