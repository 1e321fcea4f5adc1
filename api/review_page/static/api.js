// Requests to the JSON API, as this page's person: with the token that shows they come from a page of ours.

const token = document.querySelector('meta[name="csrf-token"]').content;

// What the API answered instead of doing what was asked. `code` is stable, `message` is for people.
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code || "unreachable";
    this.faults = problem.errors || [];
  }
}

// The answer: `{status, etag, body}`. Raises ApiError, with the code `unreachable` when there was no answer at all.
export async function send(method, path, { body, seen, headers = {}, keepalive = false } = {}) {
  const asked = { "X-CSRF-Token": token, ...headers };
  if (body !== undefined) asked["Content-Type"] = "application/json";
  if (seen !== undefined) asked["If-Match"] = `"${seen}"`;
  let answer;
  try {
    answer = await fetch(path, { method, headers: asked, body: body === undefined ? undefined : JSON.stringify(body), keepalive });
  } catch {
    throw new ApiError(0, { code: "unreachable", detail: "The server cannot be reached." });
  }
  const text = await answer.text();
  const json = text !== "" && (answer.headers.get("Content-Type") || "").includes("json");
  if (!answer.ok) throw new ApiError(answer.status, json ? JSON.parse(text) : {});
  return { status: answer.status, etag: answer.headers.get("ETag"), body: json ? JSON.parse(text) : text };
}
