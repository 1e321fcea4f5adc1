// The search page's script: saved filters, how pictures are wanted, and the way to the words. The search itself needs none.
import { send } from "./api.js";
import { preferences } from "./judging/preferences.js";
import { tell } from "./notices.js";

const SAVED = "/v1/saved-filters";
const list = document.getElementById("saved-filters");
const form = document.getElementById("save-filter");

async function showSaved() {
  const { body } = await send("GET", "/review/search/filters");
  list.innerHTML = body; // made and escaped by the server
}

async function save(name, query, shared) {
  await send("PUT", `${SAVED}/${encodeURIComponent(name)}`, { body: { query, shared } });
  await showSaved();
}

// Beside the form: a message in the corner would lie on the button that is to be tried again.
function complain(message) {
  const place = form.querySelector("[role=alert]");
  place.textContent = message;
  place.hidden = message === "";
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = form.elements.name.value.trim();
  try {
    complain("");
    await save(name, form.dataset.query, form.elements.shared?.checked ?? false);
    form.reset();
    tell(`Saved as “${name}”.`);
  } catch (error) {
    complain(error.message);
  }
});

function failed(error) {
  tell(error.message, { failed: true });
}

list.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-remove]");
  if (!button) return;
  const { remove: name, owner, query } = button.dataset;
  const shared = "shared" in button.dataset;
  const mine = "mine" in button.dataset;
  if (!mine && !confirm(`“${name}” is somebody else's, and shared with the team. Remove it?`)) return;
  try {
    await send("DELETE", `${SAVED}/${encodeURIComponent(name)}?owner=${encodeURIComponent(owner)}`);
    await showSaved();
    document.getElementById("keeping").focus();
    const undo = ["Undo", () => save(name, query, shared).catch(failed)];
    tell(`Removed “${name}”.`, { actions: mine ? [undo] : [] });
  } catch (error) {
    failed(error);
  }
});

const wanted = preferences();
const found = document.querySelector(".found");
found?.classList.toggle("blur", wanted.blur);
found?.classList.toggle("greyscale", wanted.greyscale);

function gone(image) {
  const words = document.createElement("small");
  words.textContent = "no longer kept";
  image.replaceWith(words);
}
for (const image of document.querySelectorAll(".picture img")) {
  if (image.complete && image.naturalWidth === 0) gone(image);
  image.addEventListener("error", () => gone(image));
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || !preferences().shortcuts) return;
  event.preventDefault();
  document.getElementById("words").select();
});

// Addresses are passed on: what was left empty is not in them.
document.querySelector("form.filter").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});

if (form) form.hidden = false;
