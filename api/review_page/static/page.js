// What every page does: times in the reader's own zone, and signing out.
import { send } from "./api.js";
import { tell } from "./notices.js";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// Shows the times below `root` in the reader's zone; the exact one stays as a title.
export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    time.title = time.dateTime;
    time.textContent = local.format(at);
  }
}

localTimes(document);
document.querySelector("[data-sign-out]")?.addEventListener("click", async () => {
  try {
    await send("POST", "/v1/sign-out");
    location.assign("/review");
  } catch (error) {
    tell(`You are still signed in: ${error.message}`, { failed: true });
  }
});
