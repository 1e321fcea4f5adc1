// Asks for a reason in a dialog.

const dialog = document.getElementById("aside");

// What was typed; null when it was called off.
export function ask(title, help) {
  dialog.querySelector("h2").textContent = title;
  document.getElementById("aside-help").textContent = help;
  const input = dialog.querySelector("input");
  input.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  input.focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "ok" && input.value.trim() ? input.value.trim() : null), { once: true });
  });
}
