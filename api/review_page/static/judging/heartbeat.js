// Keeps claims while somebody is there, and lets them run out when nobody is: an open page on an empty chair blocks no image.

const IDLE_SECONDS = 300;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "focus"];

export function keepClaims(deck) {
  let seen = Date.now();
  const present = () => { seen = Date.now(); };
  for (const sign of SIGNS) window.addEventListener(sign, present, { passive: true, capture: true });
  setInterval(() => {
    if (deck.paused) return;
    if (Date.now() - seen > IDLE_SECONDS * 1000) deck.pause();
    else for (const task of deck.tasks) deck.renew(task);
  }, (deck.leaseSeconds / 3) * 1000);
  window.addEventListener("pagehide", () => deck.leave());
}
