// Why an image does not show, in the server's words: an <img> that fails says nothing, so it is asked for once more.

const UNKNOWN = "The image could not be loaded.";

/** A sentence for people. */
export async function reasonFor(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/problem+json" } });
    const problem = answer.headers.get("Content-Type")?.startsWith("application/problem+json") ? await answer.json() : {};
    return problem.detail || problem.title || UNKNOWN;
  } catch {
    return `${UNKNOWN} The server did not answer.`;
  }
}
