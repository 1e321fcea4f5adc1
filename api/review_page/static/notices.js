// Messages in the corner: what happened, and what can be done about it.

const corner = document.getElementById("notices");

// Shows a message with buttons `[label, action]`; gives it back, to be removed. Failures stay until they are closed, or until another one
// `about` the same takes their place.
export function tell(text, { failed = false, seconds = 6, actions = [], about = text } = {}) {
  for (const former of [...corner.children]) if (former.dataset.about === about) former.remove();
  const notice = document.createElement("div");
  notice.className = failed ? "notice failed" : "notice";
  notice.dataset.about = about;
  if (failed) notice.setAttribute("role", "alert");
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
