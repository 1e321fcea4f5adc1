// The map of what was seen how closely: clear where the model saw every pixel, ever more covered where it saw less. Drawn from the exact
// rectangles, as shapes: their edges stay sharp at any zoom.
import { seenOf, STEPS, percent, stepOf } from "./seen.js";

const SVG = "http://www.w3.org/2000/svg";
const shape = (tag, attributes) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

export const coverageLayer = (about) => ({
  name: "coverage",
  label: "Coverage",
  shortcut: "o",
  make: async () => {
    const seen = await seenOf(about);
    return { picture: picture(seen), legend: legend(seen), spoken: spoken(seen) };
  },
});

/** One path for each step, of the cells between all edges; where looks overlap, the closest one counts. */
export function picture({ width, height, areas }) {
  const edges = (first, second) => [...new Set(areas.flatMap(({ box }) => [box[first], box[second]]))].sort((a, b) => a - b);
  const [columns, rows] = [edges(0, 2), edges(1, 3)];
  const paths = STEPS.map(() => "");
  for (const [i, x0] of columns.slice(0, -1).entries()) {
    for (const [j, y0] of rows.slice(0, -1).entries()) {
      const here = areas.filter(({ box }) => box[0] <= x0 && box[2] > x0 && box[1] <= y0 && box[3] > y0);
      const step = stepOf(Math.max(...here.map(({ resolution }) => resolution)));
      paths[step] += `M${x0} ${y0}H${columns[i + 1]}V${rows[j + 1]}H${x0}Z`;
    }
  }
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "coverage-map" });
  drawn.append(...paths.map((d, step) => shape("path", { d, class: `coverage-${step}`, "shape-rendering": "crispEdges" })));
  return drawn;
}

function legend(seen) {
  const made = document.createElement("div");
  made.className = "viewer-legend";
  const title = Object.assign(document.createElement("p"), { textContent: "Seen by the model at" });
  const list = document.createElement("dl");
  const steps = new Set(seen.areas.map(({ resolution }) => stepOf(resolution)));
  for (const [step, { label }] of STEPS.entries()) {
    if (!steps.has(step)) continue;
    const swatch = document.createElement("dt");
    swatch.className = `coverage-swatch coverage-${step}`;
    list.append(swatch, Object.assign(document.createElement("dd"), { textContent: label }));
  }
  made.append(title, list);
  return made;
}

const spoken = ({ share_half: half, share_native: native, resolution_least: least }) =>
  `${percent(half)} of the image was seen at half resolution or more, ${percent(native)} at full; the least at ${least.toFixed(2)}.`;
