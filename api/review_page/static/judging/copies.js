// Tasks of the same image that are ticked beside the picture: they get the answer that the image in front of the reviewer got.
import { send } from "../api.js";

export function ticked(task) {
  const boxes = task.article.querySelectorAll('input[name="duplicate"]:checked');
  return Array.from(boxes, (box) => ({ task_id: Number(box.value), version: Number(box.dataset.version) }));
}

// Gives them the answer, each as far as it allows it: `{decided, others}`, the numbers of the tasks that were, and what is said of those
// that were not.
export async function decideTogether(task, copies, { verdict, action, clause, note, undo_seconds }) {
  const said = { lease_token: task.token, verdict, action, note, undo_seconds, ...(clause ? { clause } : {}) };
  const { body } = await send("POST", `/v1/tasks/${task.id}:decide-duplicates`, { body: { ...said, tasks: copies } });
  const decided = body.results.filter((one) => one.result === "decided").map((one) => one.task_id);
  const others = body.results.filter((one) => one.result !== "decided").map((one) => `task ${one.task_id}: ${one.meaning}`);
  return { decided, others };
}
