// Appeals, a lead's decision, rescans, statements: each by one request. Afterwards the page shows what it brought about.
import { send } from "../api.js";
import { tell } from "../notices.js";
import { reasonsOf } from "./statement.js";

const STATEMENTS = "/v1/statements-of-reasons";
const filled = (input) => input.value.trim() || null;

let leaving = false;

// Makes the page anew, at the place that `anchor` names.
function again(anchor) {
  leaving = true;
  const here = new URL(location.href);
  here.hash = anchor ?? "";
  history.replaceState(null, "", here);
  location.reload();
}

// Shows what is wrong above a form and at its fields. `#/reasons/category/0` is about the field `category`.
export function complain(form, message, faults = []) {
  const place = form.querySelector(".problem");
  place.textContent = message;
  place.hidden = !message;
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  let first = null;
  for (const { pointer, message: wrong } of faults) {
    const name = pointer.split("/").find((part) => form.querySelector(`[data-name="${CSS.escape(part)}"]`));
    if (!name) continue;
    const field = form.querySelector(`[data-name="${CSS.escape(name)}"]`);
    const said = field.querySelector("[data-problem]");
    if (said) { said.textContent = wrong; said.hidden = false; }
    const input = field.querySelector("input, select, textarea");
    input.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  first?.closest("details")?.setAttribute("open", "");
  first?.focus();
}

// Does `work`, once at a time: until it ends, the buttons of `place`, a form or a button, are off, and they stay so while the page is made
// anew. What the API refuses is said in the form, or in a notice where there is none.
async function attempt(place, work) {
  const form = place.matches("form") ? place : null;
  if (place.dataset.sending) return;
  place.dataset.sending = "true";
  const buttons = form ? [...form.querySelectorAll("button:not(:disabled)")] : [place];
  for (const button of buttons) button.disabled = true;
  const over = () => {
    delete place.dataset.sending;
    for (const button of buttons) button.disabled = false;
  };
  if (form) complain(form, "");
  try {
    await work();
    if (!leaving) over();
  } catch (error) {
    over();
    if (!form) { tell(error.message, { failed: true }); return; }
    const signIn = error.status === 401 ? " Sign in again in another tab, then repeat this." : "";
    complain(form, error.message + signIn, error.faults);
  }
}

// What a draft was to say, for as long as there is none: the old one is taken back before the new one can be made.
const unsaved = {
  key: (decision) => `unsaved-statement-${decision}`,
  keep: (decision, reasons) => sessionStorage.setItem(unsaved.key(decision), JSON.stringify(reasons)),
  kept: (decision) => JSON.parse(sessionStorage.getItem(unsaved.key(decision))),
  forget: (decision) => sessionStorage.removeItem(unsaved.key(decision)),
};

async function draft(decision, reasons) {
  const { body: statement } = await send("POST", STATEMENTS, { body: { decision_id: decision, reasons } });
  unsaved.forget(decision);
  again(`statement-${statement.id}`);
}

const FORMS = {
  async appeal({ elements: { region, statement, reference }, dataset }) {
    const body = { decision_id: dataset.appeal, statement: statement.value, region: region.value ? Number(region.value) : null, reference: filled(reference) };
    dataset.key ??= crypto.randomUUID();
    const { body: appeal } = await send("POST", "/v1/appeals", { body, headers: { "Idempotency-Key": dataset.key } });
    again(`appeal-${appeal.id}`);
  },
  async override({ elements: { verdict, action, reason, clause }, dataset }) {
    const chosen = clause?.value ? { clause: clause.value } : {};
    const body = { verdict: verdict.value, action: action.value, reason: reason.value, supersedes: dataset.supersedes || null, ...chosen };
    await send("POST", `/v1/items/${dataset.override}/decisions`, { body });
    again("stands");
  },
  // A draft is not changed: it is taken back and drafted anew. When the new one is refused, the form still has everything, and who leaves
  // the page drafts with it again.
  async statement(form) {
    const { decision } = form.dataset;
    const reasons = reasonsOf(form);
    if (form.dataset.statement) {
      unsaved.keep(decision, reasons);
      await send("POST", `${STATEMENTS}/${form.dataset.statement}:withdraw`);
      form.dataset.statement = "";
    }
    await draft(decision, reasons);
  },
};

const BUTTONS = {
  opens: (button) => document.getElementById(button.dataset.opens).showModal(),
  closes: (button) => button.closest("dialog").close(),
  draft: (button) => attempt(button, async () => {
    const { draft: decision } = button.dataset;
    const kept = unsaved.kept(decision);
    if (kept) unsaved.forget(decision); // what is refused once is refused again: then the next one is empty
    await draft(decision, kept ?? {});
  }),
  withdraw: (button) => attempt(button.closest("form") ?? button, async () => {
    await send("POST", `${STATEMENTS}/${button.dataset.withdraw}:withdraw`);
    again();
  }),
  rescan: (button) => attempt(button, async () => {
    const { body: { revision } } = await send("POST", `/v1/items/${button.dataset.rescan}:rescan`);
    tell(`The image is judged again, as revision ${revision}: load this page again in a moment.`);
  }),
  sign: (button) => {
    const dialog = document.getElementById("sign");
    dialog.querySelector("form").dataset.sign = button.dataset.sign;
    dialog.showModal();
  },
};

async function sign(form) {
  await send("POST", `${STATEMENTS}/${form.dataset.sign}:submit`, { body: {} });
  again(`statement-${form.dataset.sign}`);
}

// Listens to every form and button that changes something; until then they are off.
export function listen() {
  for (const button of document.querySelectorAll("[data-change]")) button.disabled = false;
  for (const button of document.querySelectorAll("[data-draft]")) {
    if (unsaved.kept(button.dataset.draft)) tell("What you last wrote in the statement of reasons was not saved. Draft one, and it is filled in.");
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    event.preventDefault();
    const missing = form.querySelector(":invalid");
    if (missing) { complain(form, "Please fill this in."); missing.setAttribute("aria-invalid", "true"); missing.focus(); return; }
    const name = Object.keys(FORMS).find((one) => one in form.dataset);
    attempt(form, () => (name ? FORMS[name](form) : sign(form)));
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    const name = button && Object.keys(BUTTONS).find((one) => one in button.dataset);
    if (name) BUTTONS[name](button);
  });
}
