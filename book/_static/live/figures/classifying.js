// Chapter 3.2: one text or two of the reader's own, as the rows of tokens that the network reads, and what its head says.

import { element } from "../element.js";
import { ranked } from "../decoding.js";
import { bars, button, field, latest, tokenList, tooLong, unknown } from "./parts.js";

// Returns a function that shows another example, whose label is told until the reader changes something.
export async function build(root, model, { fields = "Your text", text = "", second = "", label = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { labels, special: { "<bos>": bos, "<delimiter>": delimiter, "<extract>": extract } } = model.about;
  const names = fields.split(", ");
  const inputs = names.map((_, i) => element("textarea", { rows: 2, value: i ? second : text, spellcheck: false }));
  const read = element("div");
  const answer = element("div");
  const between = (parts, mark) => parts.flatMap((of, i) => (i ? [mark, ...of] : of));

  const classify = latest(async (isLast) => {
    const texts = inputs.map(({ value }) => ({ ids: tokenizer.encode(value), words: tokenizer.split(value) }));
    const orders = model.about.inputs.length > 1 ? [texts, [...texts].reverse()] : [texts];
    const rows = orders.map((order) => [bos, ...between(order.map(({ ids }) => ids), delimiter), extract]);
    const wrong = texts.every(({ ids }) => ids.length) ? tooLong(rows[0].length, model.about.max_len) : "Write a text in each field.";
    if (wrong) {
      read.replaceChildren();
      answer.replaceChildren();
      return say(wrong);
    }
    const { logits: [scores], looks: [{ data: shares }, ofRows] } = await model.run(...rows);
    if (!isLast()) return;
    read.replaceChildren(...rows.map((ids, i) => {
      const caption = rows.length > 1 ? `What the network reads, row ${i + 1} of 2` : "What the network reads";
      return tokenList(caption, tokenizer, ids, ["", ...between(orders[i].map(({ words }) => words), ""), ""]);
    }));
    answer.replaceChildren(bars("The probability of each class", labels.map((name, i) => [name, shares[i]])));
    if (ofRows) answer.append(sums(labels, ofRows.data, scores));
    const [best] = ranked(shares);
    const told = label ? ` The label is: ${label}.` : "";
    say(`${unknown(tokenizer, inputs.map(({ value }) => value).join(" "))}Most probable: ${labels[best]}, ${(100 * shares[best]).toFixed(1)} %.${told}`);
  });

  const changed = () => { label = ""; classify(); };
  const exchange = button("Exchange the two texts", () => {
    [inputs[0].value, inputs[1].value] = [inputs[1].value, inputs[0].value];
    changed();
  });
  for (const input of inputs) input.addEventListener("input", changed);
  root.append(...inputs.map((input, i) => field(names[i], input)), ...(inputs.length > 1 ? [exchange] : []), read, answer);
  await classify();
  return (example) => {
    example.texts.forEach((of, i) => (inputs[i].value = of));
    label = example.label;
    return classify();
  };
}

// What each of two rows adds to the scores of the classes. ofRows: the scores of the first row, then those of the second.
function sums(labels, ofRows, scores) {
  const n = labels.length;
  const [first, second] = [ofRows.slice(0, n), ofRows.slice(n)];
  const bias = scores.map((score, i) => score - first[i] - second[i]);
  const line = (name, numbers) => element("tr", {}, element("th", { scope: "row" }, name),
    ...Array.from(numbers, (x) => element("td", { className: "live-number" }, x.toFixed(2))));
  const head = element("tr", {}, element("td"), ...labels.map((label) => element("th", { scope: "col" }, label)));
  return element("table", {}, element("caption", {}, "What each row adds to the score of each class"), element("thead", {}, head),
    element("tbody", {}, line("row 1", first), line("row 2", second), line("bias", bias), line("score", scores)));
}
