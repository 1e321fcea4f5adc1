// The attention map over the picture, where one was drawn.
import { attentionOf, HONESTY, nameOf } from "./attention_map.js";
import { made, remark } from "./elements.js";

export const attentionLayer = (about) => ({
  name: "attention",
  label: "Attention",
  shortcut: "g",
  make: async () => {
    const attention = attentionOf(about);
    if (!attention.map) await attention.look();
    if (!attention.map) throw new Error("No attention map was drawn of this verdict yet. Ask for one beside the picture.");
    const picture = Object.assign(new Image(), { src: attention.layer, alt: "", draggable: false, className: "attention-sheet" });
    await picture.decode().catch(() => {
      throw new Error("The attention map cannot be shown: it is no longer kept, or the server cannot be reached.");
    });
    const target = attention.map.targets.find(({ name }) => name === attention.target);
    return { picture, legend: legend(target, HONESTY[attention.map.training]), spoken: nameOf(target) };
  },
});

function legend(target, honesty) {
  const ends = made("p", { className: "attention-ends" }, made("span", { textContent: "little" }), made("span", { textContent: "most attention" }));
  const told = made("div", { className: "viewer-legend" }, made("p", { textContent: nameOf(target) }), made("div", { className: "attention-ramp" }), ends);
  if (honesty) told.append(remark(honesty, "honesty"));
  return told;
}
