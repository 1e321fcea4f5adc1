// How this reviewer wants to see images; kept in this browser.

const PLACE = "review preferences";
const STANDARD = { blur: false, greyscale: false, cropFirst: false, shortcuts: true };
const ATTRIBUTES = { blur: "blur", greyscale: "greyscale", cropFirst: "crop-first" };

export function preferences() {
  try {
    return { ...STANDARD, ...JSON.parse(localStorage.getItem(PLACE) ?? "{}") };
  } catch {
    return STANDARD;
  }
}

// Puts them on a viewer.
export function apply(viewer, wanted) {
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) viewer.toggleAttribute(attribute, wanted[name]);
  viewer.closest("article").classList.toggle("greyscale", wanted.greyscale);
  viewer.closest("article").classList.toggle("blur", wanted.blur);
}

export function openPreferences() {
  const dialog = document.getElementById("preferences");
  const form = dialog.querySelector("form");
  for (const [name, value] of Object.entries(preferences())) form.elements[name].checked = value;
  form.onchange = () => {
    const wanted = Object.fromEntries(Object.keys(STANDARD).map((name) => [name, form.elements[name].checked]));
    localStorage.setItem(PLACE, JSON.stringify(wanted));
    for (const viewer of document.querySelectorAll("article.task zoom-image")) apply(viewer, wanted);
  };
  dialog.showModal();
}
