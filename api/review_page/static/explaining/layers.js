// The layers that both pages offer over the picture. Which of them are on is remembered in this browser.
import { tell } from "../notices.js";
import { attentionLayer } from "./attention_layer.js";
import { coverageLayer } from "./coverage_layer.js";

const PLACE = "explaining layers";

const remembered = () => {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? "[]");
  } catch {
    return [];
  }
};

/** Offers them on a viewer, and shows those that were on before. `missing(name)` is called when one that somebody asked for is not there. */
export function offerLayers(viewer, about, missing) {
  viewer.addLayer(coverageLayer(about));
  viewer.addLayer(attentionLayer(about));
  for (const name of remembered()) viewer.toggleLayer(name, true, { quietly: true });
  viewer.addEventListener("layer-change", ({ detail: { name, on } }) => {
    const names = remembered().filter((other) => other !== name);
    localStorage.setItem(PLACE, JSON.stringify(on ? [...names, name] : names));
  });
  viewer.addEventListener("layer-missing", ({ detail: { name, reason } }) => {
    tell(reason, { about: `layer ${name}` });
    missing(name);
  });
}
