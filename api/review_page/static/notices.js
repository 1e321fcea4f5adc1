// Messages in the corner: what happened, and what can be done about it.

const corner = document.getElementById("notices");

// Shows a message with buttons `[label, action]`; gives it back, to be removed. `seconds` 0: it stays until closed.
export function tell(text, { failed = false, seconds = 6, actions = [] } = {}) {
  const notice = document.createElement("div");
  notice.className = failed ? "notice failed" : "notice";
  const words = document.createElement("p");
  words.textContent = text;
  notice.append(words);
  for (const [label, action] of failed ? [...actions, ["Close", () => {}]] : actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label;
    button.addEventListener("click", () => { notice.remove(); action(); });
    notice.append(button);
  }
  corner.append(notice);
  if (seconds && !failed) setTimeout(() => notice.remove(), seconds * 1000);
  return notice;
}
