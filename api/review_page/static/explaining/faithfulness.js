// Whether the explanation moves the score: what became of P(generated) when the cited regions were hidden, and when as much was elsewhere.
import { send } from "../api.js";
import { numbers, remark, table } from "./elements.js";

const FILLS = { blur: "blurred", mean: "in their mean colour" };
const DIGITS = 3;
const figure = (score) => score.toFixed(DIGITS);
const points = (drop) => (Number(figure(drop)) === 0 ? figure(0) : `${drop < 0 ? "+" : "−"}${figure(Math.abs(drop))}`); // a drop takes from the score

export async function begin(body, { item, revision }) {
  const { body: check } = await send("GET", `/v1/items/${item}/faithfulness?revision=${revision}`);
  if (check.state === "not_checked") body.append(remark("Not tested: a share of what is called generated is, as the policy says."));
  else if (check.state === "failed") body.append(remark(`Could not be tested, and the verdict stands: ${check.error.message}`, "small"));
  else body.append(...measured(check));
}

function measured({ p_generated: score, drop, control_drop: control, beyond_control: more, maskings, cost }) {
  const rows = maskings.map(({ position, fill, p_masked: masked, p_control: elsewhere }) => [
    `${position === 0 ? "All cited" : `Box ${position}`}, ${FILLS[fill] ?? fill}`,
    figure(masked),
    figure(elsewhere),
  ]);
  const told = Number(figure(more)) > 0
    ? `What it cites takes ${figure(more)} more of the score with it than the same area elsewhere.`
    : "What it cites takes no more of the score with it than the same area elsewhere: the score does not rest on what the explanation names.";
  return [
    remark(told, ""),
    numbers([["P(generated)", figure(score)], ["With what it cites hidden", points(drop)], ["With as much hidden elsewhere", points(control)]]),
    table(["Hidden", "P, cited", "P, elsewhere"], rows),
    remark(`Tested by ${cost.requests} more requests, in ${cost.seconds.toFixed(1)} s.`),
  ];
}
