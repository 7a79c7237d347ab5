// What the figures have in common: fields, bars, maps of weights and their tables.

import { element } from "../element.js";

let number = 0;

export function field(label, control) {
  control.id ||= `live-${++number}`;
  return element("div", { className: "live-field" }, element("label", { htmlFor: control.id }, label), control);
}

export function slider(label, { min, max, step = 1, value, shown = String }, changed) {
  const input = element("input", { type: "range", min, max, step });
  input.value = value;
  const output = element("output", {}, shown(value));
  input.addEventListener("input", () => {
    output.textContent = shown(Number(input.value));
    changed(Number(input.value));
  });
  const row = field(label, input);
  row.append(output);
  return { row, input, set: (x) => { input.value = x; output.textContent = shown(Number(x)); } };
}

export function button(label, clicked) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", clicked);
  return made;
}

// Only the last of several quick calls has to be answered: a reader types faster than a phone computes.
export function latest(work) {
  let call = 0;
  return async (...given) => {
    const mine = ++call;
    return work(() => mine === call, ...given);
  };
}

// The words of a text as buttons. chosen: the numbers of those that are pressed; changed: told of every press.
export function wordButtons(label, chosen, changed) {
  const group = element("div", { className: "live-words", aria: { role: "group", label } });
  const draw = (parts) => {
    for (const i of chosen) if (i >= parts.length) chosen.delete(i);
    group.replaceChildren(...parts.map((part, i) => {
      const word = element("button", { type: "button", aria: { pressed: chosen.has(i) } }, part);
      word.addEventListener("click", () => {
        chosen.has(i) ? chosen.delete(i) : chosen.add(i);
        word.setAttribute("aria-pressed", chosen.has(i));
        changed();
      });
      return word;
    }));
  };
  return { group, draw };
}

// [begin, end] of each word in the text, which holds them in this order.
export function places(text, words) {
  let at = 0;
  return words.map((word) => {
    const begin = text.indexOf(word, at);
    at = begin + word.length;
    return [begin, at];
  });
}

// Also of answers of many tokens, which are all improbable.
export const percent = (share) => (share < 1e-5 ? "< 0.001 %" : `${(100 * share).toFixed(share < 1e-3 ? 3 : 1)} %`);

// Rows of [name, share] as bars with their numbers; also what a screen reader reads.
export function bars(caption, rows, shown = (share) => `${(100 * share).toFixed(1)} %`) {
  const table = element("table", { className: "live-bars" }, element("caption", {}, caption));
  for (const [name, share] of rows) {
    const bar = element("span", { className: "live-bar" });
    bar.style.width = `${(100 * share).toFixed(2)}%`;
    table.append(
      element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, bar),
        element("td", { className: "live-number" }, shown(share))),
    );
  }
  return table;
}

// A map of weights as a table whose cells are shaded: rows are queries, columns are keys.
export function map(caption, rows, columns, weight) {
  const head = element("tr", {}, element("td"), ...columns.map((name) => element("th", { scope: "col" }, element("span", {}, name))));
  const body = rows.map((name, i) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...columns.map((column, j) => {
      const value = weight(i, j);
      const cell = element("td", { title: `${name} → ${column}: ${value.toFixed(2)}` });
      cell.append(element("span", { className: "live-hidden" }, value.toFixed(2)));
      cell.style.setProperty("--weight", value);
      return cell;
    })));
  const table = element("table", { className: "live-map" }, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "live-scroll", tabIndex: 0, aria: { role: "region", label: caption } }, table);
}

// Tokens as a row of boxes. `written` has each one as it stands in the text, and "" for the special tokens, which do not.
export function tokenList(caption, tokenizer, ids, written) {
  const boxes = ids.map((id, i) => {
    if (!written[i]) return element("li", { className: "special" }, tokenizer.names[id]);
    if (id === tokenizer.unk) return element("li", { className: "unknown" }, `${written[i]} → ${tokenizer.names[id]}`);
    return element("li", {}, tokenizer.names[id]);
  });
  return element("div", {}, element("p", {}, `${caption}:`), element("ul", { className: "live-tokens", aria: { label: caption } }, ...boxes));
}

export function unknown(tokenizer, text) {
  const words = tokenizer.unknown(text);
  if (!words.length) return "";
  const list = words.slice(0, 8).map((word) => `“${word}”`).join(", ");
  return `The model has never seen ${list}${words.length > 8 ? " and others" : ""}: it reads each as <unk>. `;
}

export function tooLong(length, room, what = "the model reads") {
  return length > room ? `This is ${length} tokens long; ${what} at most ${room}. Shorten it.` : "";
}
