// The tasks that this reviewer holds: one is shown, the next is loaded behind it, and the last answer can be taken back for a while.
import { ApiError, send } from "../api.js";
import { tell } from "../notices.js";
import { localTimes } from "../page.js";
import { decideTogether, ticked } from "./copies.js";
import { Task } from "./task.js";

const AHEAD = 2; // the one that is shown, and the next; the API lets a reviewer hold three, so that one can come back by undo
const POLL_SECONDS = 15; // until the next look into an empty queue

export class Deck {
  constructor(element) {
    this.element = element;
    this.queue = element.dataset.queue;
    this.leaseSeconds = Number(element.dataset.lease);
    this.undoSeconds = Number(element.dataset.undo);
    this.tasks = [...element.querySelectorAll("article.task")].map((article) => new Task(article));
    this.last = null; // the last answer, while it can be taken back: {task, reviewId, notice}; null id: it is on its way
    this.paused = false;
    this.preparing = null;
    this.nothing = null; // why nothing can be claimed: `drained`, or `full`, when three are held elsewhere; null: not known yet
  }

  get current() { return this.paused ? null : this.tasks[0] ?? null; }

  begin() {
    this.show();
    this.prepare();
    setInterval(() => { if (!this.tasks.length && !document.hidden && !this.paused) this.prepare(); }, POLL_SECONDS * 1000);
  }

  // Claims tasks until enough are held. One at a time, so that none is claimed for nothing.
  prepare() {
    this.preparing ??= this.#fill().finally(() => { this.preparing = null; this.show(); });
    return this.preparing;
  }

  async #fill() {
    while (this.tasks.length < AHEAD && !this.paused) {
      let answer;
      try {
        answer = await send("POST", `/review/queues/${this.queue}/claims`);
      } catch (error) {
        this.nothing = error.code === "claims_too_many" ? "full" : null;
        if (!this.nothing) this.#cannot("The next image could not be fetched", error, () => this.prepare());
        return;
      }
      this.nothing = answer.status === 204 ? "drained" : null;
      if (this.nothing) return;
      this.tasks.push(this.#made(answer.body));
      this.show();
    }
  }

  #made(html) {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector("article.task");
    localTimes(article);
    this.element.append(article);
    return Object.assign(new Task(article), { claimedHere: true });
  }

  // Shows the first task, or says that there is none.
  show() {
    const [first, ...others] = this.tasks;
    for (const task of others) task.hide();
    const empty = document.getElementById("empty");
    empty.hidden = Boolean(first) || this.paused || !this.nothing;
    for (const part of empty.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== this.nothing;
    document.getElementById("paused").hidden = !this.paused;
    if (!first || this.paused || !first.article.hidden) return;
    first.show();
    document.getElementById("spoken").textContent = first.spoken;
  }

  // Sends the answer of the current task, and shows the next one without waiting for it.
  async record() {
    const task = this.current;
    if (!task || task.sending || !task.complete()) return;
    task.sending = true;
    const answer = task.answer(this.undoSeconds);
    const copies = answer.verdict === "unsure" ? [] : ticked(task);
    this.#closeLast();
    const last = this.last = { task, reviewId: null };
    this.dismiss(task);
    try {
      const { body } = await send("POST", `/v1/tasks/${task.id}/reviews`, { body: { lease_token: task.token, ...answer }, seen: task.version });
      task.forget();
      this.#offerUndo(last, body, answer);
      if (copies.length) await this.#decideCopies(task, copies, answer);
    } catch (error) {
      if (this.last === last) this.last = null;
      await this.#refused(task, error);
    } finally {
      task.sending = false;
      this.prepare();
    }
  }

  // Those of them that were claimed ahead are answered, too: they leave the deck.
  async #decideCopies(task, copies, answer) {
    try {
      const { decided, others } = await decideTogether(task, copies, answer);
      for (const known of this.tasks.filter((other) => decided.includes(other.id))) { this.dismiss(known); known.remove(); }
      if (decided.length) tell(`Task ${task.id}: ${decided.length} more of the same image ${decided.length === 1 ? "is" : "are"} answered alike.`);
      if (others.length) tell(`Not answered alike: ${others.join(" ")}`, { failed: true });
    } catch (error) {
      this.#cannot(`The others of task ${task.id}'s image were not answered`, error, () => this.#decideCopies(task, copies, answer));
    }
  }

  // Takes a task off the deck; it stays in the document, for it may come back.
  dismiss(task) {
    this.tasks = this.tasks.filter((other) => other !== task);
    task.hide();
    this.show();
  }

  // Of the newest answer alone: when another was given meanwhile, this one takes effect as it is.
  #offerUndo(last, submitted, answer) {
    const { task } = last;
    const what = `Task ${task.id}: ${answer.verdict}${answer.action === "none" ? "" : `, ${answer.action}`}`;
    if (!submitted.final_at || this.last !== last) {
      tell(`${what}.`);
      task.remove();
      if (this.last === last) this.last = null;
      return;
    }
    last.reviewId = submitted.review_id;
    last.notice = tell(`${what}. It takes effect in ${this.undoSeconds} seconds.`, { seconds: this.undoSeconds, actions: [["Undo (Z)", () => this.undo(last)]] });
    last.timer = setTimeout(() => { if (this.last === last) this.last = null; task.remove(); }, this.undoSeconds * 1000);
  }

  // The answer before the last one can no longer be taken back from here.
  #closeLast() {
    if (this.last?.reviewId) {
      clearTimeout(this.last.timer);
      this.last.notice.remove();
      this.last.task.remove();
    }
    this.last = null;
  }

  // Takes an answer back. Without an answer from the server, it may have been taken back or not: asked again, the server says which.
  async undo(last = this.last) {
    if (!last) { tell("There is nothing to undo: an answer can be taken back for a few seconds."); return; }
    if (!last.reviewId) { tell("The answer is still on its way: try again in a moment."); return; }
    if (this.last === last) this.last = null;
    clearTimeout(last.timer);
    last.notice.remove();
    try {
      const { body } = await send("POST", `/v1/reviews/${last.reviewId}:undo`);
      last.task.claimed(body.lease_token, body.task.version);
      this.putFirst(last.task);
      tell(`Task ${last.task.id} is back: its answer was taken back.`);
    } catch (error) {
      if (error.status === 0 || error.status >= 500) {
        tell(`Whether the answer was taken back is not known: ${error.message}`, { failed: true, actions: [["Try again", () => this.undo(last)]] });
        return;
      }
      last.task.remove();
      tell(`The answer stands: ${error.message}`, { failed: true });
    }
  }

  // In front of the others, at once: the reviewer has asked for it.
  putFirst(task) {
    this.tasks = [task, ...this.tasks.filter((other) => other !== task)];
    for (const other of this.tasks.slice(1)) other.hide();
    this.show();
  }

  // In front, unless the reviewer has begun with another one: what comes back late changes nothing under their hands. Whether it is in front.
  #putBack(task) {
    const [current, ...others] = this.tasks.filter((other) => other !== task);
    if (!current?.begun) { this.putFirst(task); return true; }
    this.tasks = [current, task, ...others];
    this.show();
    return false;
  }

  // What was typed is never lost: a refused answer comes back with what the reviewer can do about it.
  async #refused(task, error) {
    switch (error.code) {
      case "claim_lost":
      case "precondition_failed":
        await this.recover(task, error);
        break;
      case "task_finished":
      case "not_found":
      case "item_erased":
        tell(`Your answer to task ${task.id} was not needed any more: ${error.message}`, { failed: true });
        task.forget();
        task.remove();
        break;
      default:
        task.complain(error.message, error.faults, null, { stay: !this.#putBack(task) });
        this.#cannot(`Your answer to task ${task.id} was not recorded`, error, () => this.retry(task));
    }
  }

  // Records the answer of a task that came back, as it was typed.
  retry(task) {
    if (!this.tasks.includes(task)) return;
    this.putFirst(task);
    this.record();
  }

  // Claims a task again whose claim was lost, or which has changed; what was typed goes into it.
  async recover(task, error) {
    task.keep();
    try {
      const answer = await send("POST", `/review/tasks/${task.id}/claims`);
      if (answer.status === 204) { this.#lost(task); return; }
      const again = this.#made(answer.body);
      const waited = this.tasks.indexOf(task) > 0; // it was only held ahead: nobody has seen it yet
      this.tasks = this.tasks.filter((other) => other !== task);
      task.remove();
      if (waited) { this.tasks.push(again); this.show(); return; }
      const stay = !this.#putBack(again);
      again.complain(error.code === "claim_lost" ? "Your claim had run out. You hold this image again: look once more, and record your answer." : "This task has changed since you saw it: look once more, and record your answer.", [], null, { stay });
    } catch (failure) {
      this.#putBack(task);
      this.#cannot(`Task ${task.id} could not be claimed again`, failure, () => this.recover(task, error));
    }
  }

  // Somebody else has it: what was typed can still be copied.
  #lost(task) {
    const typed = task.typed;
    this.dismiss(task);
    task.remove();
    const actions = typed ? [["Copy your reason", () => navigator.clipboard?.writeText(typed)]] : [];
    tell(`Your claim on task ${task.id} had run out, and it cannot be had again: it is somebody else's, or answered.${typed ? ` You had written: “${typed}”` : ""}`, { failed: true, actions });
    this.prepare();
  }

  // Says what could not be done. Somebody who is signed out signs in again, and finds what was typed.
  #cannot(what, error, again) {
    for (const task of this.tasks) task.keep();
    if (error.code === "unauthenticated" || error.code === "csrf_refused") {
      const back = `/v1/sign-in?next=${encodeURIComponent(location.pathname)}`;
      tell("You have been signed out. What you typed is kept in this browser.", { failed: true, about: "sign-in", actions: [["Sign in again", () => location.assign(back)]] });
    } else {
      tell(`${what}: ${error.message}`, { failed: true, about: what, actions: error instanceof ApiError && error.status > 0 && error.status < 500 ? [] : [["Try again", again]] });
    }
  }

  // Nobody is there: claims run out by themselves.
  pause() {
    for (const task of this.tasks) task.keep();
    this.paused = true;
    this.tasks[0]?.hide();
    this.show();
  }

  async resume() {
    if (!this.paused) return;
    this.paused = false;
    this.show();
    await Promise.all(this.tasks.map((task) => this.renew(task)));
    this.prepare();
  }

  // Puts the end of a claim off; one that is lost is claimed again.
  async renew(task) {
    if (task.sending) return;
    try {
      await send("POST", `/v1/tasks/${task.id}:heartbeat`, { body: { lease_token: task.token } });
    } catch (error) {
      if (error.code === "claim_lost" && !task.sending && this.tasks.includes(task)) await this.recover(task, error);
      else if (error.code === "unauthenticated") this.#cannot("", error);
    }
  }

  // The page is left: what this tab holds ahead of time goes back at once.
  leave() {
    for (const task of this.tasks) task.keep();
    for (const task of this.tasks.slice(1).filter((ahead) => ahead.claimedHere)) {
      send("POST", `/v1/tasks/${task.id}:release`, { body: { lease_token: task.token }, keepalive: true }).catch(() => {});
    }
  }
}
