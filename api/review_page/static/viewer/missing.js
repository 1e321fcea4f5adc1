// Why an image does not show, in the server's words: an <img> that fails says nothing, so it is asked for once more.

const UNKNOWN = "The image could not be loaded.";
const LASTING = [403, 404, 410]; // asking again does not help

/** {reason: a sentence for people, lasting: whether it stays so}. */
export async function whyMissing(address) {
  if (!address) return { reason: "There is no image.", lasting: true };
  try {
    const answer = await fetch(address, { headers: { Accept: "application/problem+json" } });
    const problem = answer.headers.get("Content-Type")?.startsWith("application/problem+json") ? await answer.json() : {};
    return { reason: problem.detail || problem.title || UNKNOWN, lasting: LASTING.includes(answer.status) };
  } catch {
    return { reason: `${UNKNOWN} The server did not answer.`, lasting: false };
  }
}
