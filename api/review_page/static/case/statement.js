// The fields of a draft: which of them are asked for, and what they say as the API wants it.

const OURS = ["automated_detection", "automated_decision", "puid"]; // they follow from the decision; nobody chooses them

// What the draft says: what it said before, with the form's fields over it.
export function reasonsOf(form) {
  const reasons = JSON.parse(form.querySelector("script.payload").textContent);
  for (const name of OURS) delete reasons[name];
  for (const field of form.querySelectorAll("[data-name]")) {
    const { name } = field.dataset;
    const boxes = [...field.querySelectorAll("input[type=checkbox]")];
    const value = boxes.length ? boxes.filter((box) => box.checked).map((box) => box.value) : form.elements[name].value.trim();
    if (value.length && !field.hidden) reasons[name] = value;
    else delete reasons[name];
  }
  return reasons;
}

// Shows those fields that the chosen ground asks for; a changed draft is checked before it is signed.
export function prepare(form) {
  const sign = form.querySelector("[data-sign]");
  const show = () => {
    for (const field of form.querySelectorAll("[data-ground]")) field.hidden = field.dataset.ground !== form.elements.decision_ground.value;
    for (const field of form.querySelectorAll("[data-chosen]")) field.textContent = `${field.closest("details").querySelectorAll("input:checked").length} chosen`;
  };
  form.addEventListener("input", () => { show(); sign.disabled = true; sign.title = "Save and check it first"; });
  form.addEventListener("click", ({ target }) => {
    if (!("all" in target.dataset)) return;
    for (const box of target.closest("fieldset").querySelectorAll("input")) box.checked = true;
    form.dispatchEvent(new Event("input"));
  });
  show();
}
