// The key map. Keys of one letter work where nobody types, and can be switched off.

const KEYS = {
  a: ["verdict", "real"], r: ["verdict", "generated"], u: ["verdict", "unsure"], n: ["record"], z: ["undo"], s: ["skip"], h: ["hold"],
  y: ["accept"], x: ["reject"], m: ["move"], b: ["add"], f: ["focus"], c: ["clause"], e: ["reason"], l: ["look"], t: ["trace"],
  o: ["layer", "coverage"], g: ["layer", "attention"], "?": ["keys"],
};

// Calls `command(name, …)` for what is pressed.
export function listenToKeys(command, preferences) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const { target } = event;
    const types = target.matches("input:not([type=radio], [type=checkbox]), textarea, select");
    if (types && event.key === "Escape") { target.closest("article")?.focus(); return; }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) { event.preventDefault(); command("record"); return; }
    if (types || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const named = keyOf(event, target);
    if (!named || (!preferences().shortcuts && event.key.length === 1)) return;
    event.preventDefault();
    command(...named);
  });
}

function keyOf(event, target) {
  if (/^[0-9]$/.test(event.key)) return ["box", event.key];
  // Enter on a button, a link or a box is theirs.
  if (event.key === "Enter") return target.closest("button, a, summary, [role=button], .cites") ? null : ["record"];
  return KEYS[event.key.toLowerCase()] ?? null;
}
