// From a sentence or a crop to its box in the picture, and back.

const named = (part) => (part.dataset.positions ?? part.dataset.position).split(" ");

// Links every part below `root` that names boxes with the viewer there.
export function link(root) {
  const viewer = root.querySelector("zoom-image");
  if (!viewer) return;
  const parts = [...root.querySelectorAll("[data-position], [data-positions]")];
  const light = (keys) => { for (const part of parts) part.classList.toggle("lit", named(part).some((key) => keys.includes(key))); };
  for (const part of parts) {
    for (const begin of ["pointerenter", "focusin"]) part.addEventListener(begin, () => { viewer.highlight(named(part)[0]); light(named(part)); });
    for (const end of ["pointerleave", "focusout"]) part.addEventListener(end, () => { viewer.highlight(null); light([]); });
  }
  viewer.addEventListener("box-hover", ({ detail }) => light(detail.position === null ? [] : [String(detail.position)]));
  viewer.addEventListener("box-select", ({ detail }) => {
    for (const region of root.querySelectorAll("li.region[data-position]")) region.classList.toggle("selected", region.dataset.position === detail.key);
  });
  root.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-focus]");
    if (!button) return;
    viewer.select(button.dataset.focus);
    viewer.focusBox(button.dataset.focus);
  });
}
