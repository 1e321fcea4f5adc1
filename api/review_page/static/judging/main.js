// The judging page: a deck of claimed tasks, the first of which is shown, and what keys and buttons do to it.
import "../viewer.js";
import { send } from "../api.js";
import { tell } from "../notices.js";
import { Deck } from "./deck.js";
import { listenToKeys } from "./keys.js";
import { keepClaims } from "./heartbeat.js";
import { preferences, openPreferences } from "./preferences.js";
import { ask } from "./aside.js";

const deck = new Deck(document.getElementById("deck"));

const commands = {
  verdict: (value) => deck.current?.choose(value),
  record: () => deck.record(),
  undo: () => deck.undo(),
  skip: () => setAside("skip", "Skip this image", "It is never offered to you again, and waits for somebody else."),
  hold: () => setAside("hold", "Put this image on hold", "It waits until somebody reopens it; its lead sees why."),
  release: () => setAside("release"),
  clause: () => deck.current?.field("clause")?.focus(),
  reason: () => deck.current?.field("note")?.focus(),
  box: (key) => deck.current?.select(key),
  accept: () => deck.current?.judge("accept"),
  reject: () => deck.current?.judge("reject"),
  move: () => deck.current?.judge("move"),
  add: () => deck.current?.viewer?.startAdding(),
  focus: () => deck.current?.lookClosely(),
  look: () => deck.current?.lookCloser(),
  fit: () => deck.current?.viewer?.fit(),
  more: () => deck.current?.showMore(),
  layer: (name) => deck.current?.viewer?.toggleLayer(name),
  trace: () => deck.current && window.open(deck.current.article.dataset.trace, "_blank", "noopener"),
  keys: () => document.getElementById("keys").showModal(),
  preferences: openPreferences,
  resume: () => deck.resume(),
};

// Takes the current task out of the deck without an answer: with a reason where the API wants one.
async function setAside(how, title, help) {
  const task = deck.current;
  if (!task) return;
  const reason = title ? await ask(title, help) : undefined;
  if (reason === null || task !== deck.current) return;
  const body = { lease_token: task.token, ...(reason === undefined ? {} : { reason }) };
  deck.dismiss(task);
  try {
    await send("POST", `/v1/tasks/${task.id}:${how}`, { body, ...(how === "hold" ? { seen: task.version } : {}) });
    task.forget();
    task.remove();
    tell({ skip: "Skipped.", hold: "On hold.", release: "Given back." }[how]);
  } catch (error) {
    deck.putFirst(task);
    tell(`Task ${task.id} was not set aside: ${error.message}${reason ? ` You had written: “${reason}”` : ""}`, { failed: true });
  }
  deck.prepare();
}

// A click on a button of a box speaks of that box; other buttons of the current task.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-command]");
  if (!button) return;
  const region = button.closest("[data-position]");
  if (region && deck.current?.article.contains(region)) deck.current.select(region.dataset.position);
  commands[button.dataset.command]?.();
});

listenToKeys((name, ...given) => commands[name](...given), preferences);
keepClaims(deck);
deck.begin();
