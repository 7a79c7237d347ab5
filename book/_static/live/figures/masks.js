// Chapter 2.1: which keys each query may attend to, for a prefix and padding of any length. Needs no model.

import { element } from "../element.js";
import { button, slider } from "./parts.js";

// As masks.prefix and masks.padding: one row per query, one column per key.
export function mask(length, prefix, padding) {
  const positions = Array.from({ length }, (_, i) => i);
  return positions.map((i) => positions.map((j) => (j <= i || j < prefix) && j < length - padding));
}

export function build(root, { text = "", prefix = 0, query = 1 }, say) {
  const words = text.split(" ");
  const length = words.length;
  let padding = 0;
  let chosen = Number(query) - 1;
  const grid = element("div", { className: "live-scroll", tabIndex: 0, aria: { role: "region", label: "attention mask" } });

  const kinds = [
    ["Causal", 0, "causal, as in GPT"],
    ["Prefix", Math.ceil(length / 2), "bidirectional inside the prefix, causal after it"],
    ["Full", length, "bidirectional, as in BERT"],
  ];
  const kind = () => (prefix < 2 ? 0 : prefix < length ? 1 : 2); // a prefix of one position changes nothing
  const buttons = kinds.map(([name, start]) => button(name, () => { prefix = start; update(); }));
  const boundary = slider("prefix", { min: 0, max: length, value: prefix }, (x) => { prefix = x; update(); });
  const end = slider("padding", { min: 0, max: 3, value: 0 }, (x) => { padding = x; update(); });

  const update = () => {
    boundary.set(prefix);
    for (const [i, made] of buttons.entries()) made.setAttribute("aria-pressed", i === kind());
    const names = words.map((word, i) => (i < length - padding ? word : "<pad>"));
    const rows = mask(length, prefix, padding);
    const focused = grid.contains(document.activeElement);
    grid.replaceChildren(table(names, rows));
    if (focused) grid.querySelectorAll("button")[chosen].focus();
    const keys = names.filter((_, j) => rows[chosen][j]).map((name) => `“${name}”`).join(", ");
    const ignored = chosen >= length - padding ? " Its own output is ignored." : "";
    say(`Prefix ${prefix}, padding ${padding}: ${kinds[kind()][2]}. Query ${chosen + 1}, “${names[chosen]}”, may attend to ${keys}.${ignored}`);
  };

  // The last column says in numbers what the row shows.
  const table = (names, rows) => {
    const head = element("tr", {}, element("th", { scope: "col" }, "query"),
      ...names.map((name, j) => element("th", { scope: "col" }, element("span", {}, `${j + 1} ${name}`))), element("th", { scope: "col" }, "keys"));
    const body = rows.map((row, i) => {
      const choose = button(`${i + 1} ${names[i]}`, () => { chosen = i; update(); });
      choose.setAttribute("aria-pressed", i === chosen);
      const cells = row.map((may) => element("td", { className: may ? "may" : "" }, element("span", { className: "live-hidden" }, may ? "yes" : "no")));
      const last = row.lastIndexOf(true) + 1;
      return element("tr", { className: i === chosen ? "chosen" : "" }, element("th", { scope: "row" }, choose), ...cells,
        element("td", { className: "live-number" }, last > 1 ? `1–${last}` : "1"));
    });
    return element("table", { className: "live-bench" }, element("thead", {}, head), element("tbody", {}, ...body));
  };

  root.append(element("div", { className: "live-buttons" }, ...buttons), boundary.row, end.row, grid);
  update();
}
