// What the panels are made of.

export function made(tag, properties = {}, ...parts) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...parts);
  return element;
}

/** Names and values, side by side. */
export const numbers = (pairs) =>
  made("dl", { className: "numbers" }, ...pairs.map(([name, value]) => made("div", {}, made("dt", { textContent: name }), made("dd", { textContent: value }))));

/** A table whose first column names its rows; the others are numbers. */
export function table(columns, rows) {
  const head = columns.map((name, column) => made("th", { scope: "col", className: column ? "number" : "", textContent: name }));
  const body = rows.map(([name, ...values]) =>
    made("tr", {}, made("th", { scope: "row", textContent: name }), ...values.map((value) => made("td", { className: "number", textContent: value }))));
  return made("table", { className: "small" }, made("thead", {}, made("tr", {}, ...head)), made("tbody", {}, ...body));
}

export const remark = (text, className = "muted small") => made("p", { className, textContent: text });
