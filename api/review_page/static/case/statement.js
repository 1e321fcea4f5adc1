// The fields of a draft: which of them are asked for, and what they say as the API wants it.

const OURS = ["automated_detection", "automated_decision", "puid"]; // they follow from the decision; nobody chooses them

// What the draft says: what it said before, with the form's fields over it.
export function reasonsOf(form) {
  const reasons = JSON.parse(form.querySelector("script.payload").textContent);
  for (const name of OURS) delete reasons[name];
  for (const field of form.querySelectorAll("[data-name]")) {
    const { name } = field.dataset;
    const value = said(form, name);
    if (value.length && !field.hidden) reasons[name] = field.querySelector("input[type=checkbox]") ? value : value[0];
    else delete reasons[name];
  }
  return reasons;
}

// What a field says, as a list.
function said(form, name) {
  const boxes = [...form.querySelectorAll(`[data-name="${name}"] input[type=checkbox]`)];
  return boxes.length ? boxes.filter((box) => box.checked).map((box) => box.value) : [form.elements[name].value.trim()].filter(Boolean);
}

// Shows those fields that others ask for; a changed draft is checked before it is signed.
export function prepare(form) {
  const sign = form.querySelector("[data-sign]");
  const show = () => {
    for (const field of form.querySelectorAll("[data-beside]")) {
      const asked = said(form, field.dataset.beside).some((value) => field.dataset.values.split(" ").includes(value));
      field.hidden = !asked && !field.querySelector("[aria-invalid]"); // what is wrong is seen
    }
    for (const field of form.querySelectorAll("[data-chosen]")) field.textContent = `${field.closest("details").querySelectorAll("input:checked").length} chosen`;
  };
  form.addEventListener("input", () => { show(); sign.disabled = true; sign.title = "Save and check it first"; });
  form.addEventListener("click", ({ target }) => {
    if (!("all" in target.dataset)) return;
    for (const box of target.closest("fieldset").querySelectorAll("input")) box.checked = true;
    form.dispatchEvent(new Event("input"));
  });
  show();
  sign.disabled = sign.dataset.signable !== "yes";
}
