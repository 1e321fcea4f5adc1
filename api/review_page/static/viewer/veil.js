// The blurred picture: a copy so coarse that there is nothing to make out, however far it is zoomed. Drawn once, where a CSS filter over
// a large picture would be computed for each frame, and take as long as many of them.

const DETAIL = 24; // pixels of the longer side that are left of the picture
const DOUBLINGS = 4; // that smooth it, so that no grid is seen when it is stretched

export function veil(image) {
  let smooth = drawn(image, image.naturalWidth, image.naturalHeight, DETAIL);
  for (let doubled = 0; doubled < DOUBLINGS; doubled += 1) {
    smooth = drawn(smooth, smooth.width, smooth.height, 2 * Math.max(smooth.width, smooth.height));
  }
  smooth.className = "viewer-veil";
  smooth.setAttribute("aria-hidden", "true"); // the image behind it has the text
  return smooth;
}

function drawn(source, width, height, longerSide) {
  const scale = longerSide / Math.max(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(width * scale), 1);
  canvas.height = Math.max(Math.round(height * scale), 1);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}
