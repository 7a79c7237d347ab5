// Chapter 3.2: multiple choice. A text and the reader's endings of it, packed into one row, and the probability of each ending.

import { element } from "../element.js";
import { ranked } from "../decoding.js";
import { bars, button, field, latest, tokenList, tooLong, unknown } from "./parts.js";

// Several rows in one, in which their common beginning stands once, as `pack` in objectives/classification.py makes it.
export function pack(rows) {
  const [one] = rows;
  const differs = one.findIndex((id, i) => rows.some((row) => row[i] !== id));
  const first = (differs < 0 ? one.length : differs) - 1; // the last common token begins each branch
  const ids = one.slice(0, first);
  const branches = Array(first).fill(0);
  const positions = [...branches.keys()];
  const extract = rows.map((row, branch) => {
    ids.push(...row.slice(first));
    branches.push(...Array(row.length - first).fill(branch + 1));
    positions.push(...row.slice(first).map((_, i) => first + i));
    return ids.length - 1;
  });
  return { ids, extract, branches, positions };
}

// Returns a function that shows another example, whose right ending is told until the reader changes something.
export async function build(root, model, example, say) {
  const [tokenizer] = model.tokenizers;
  const { max_len: maxLen, special: { "<bos>": bos, "<delimiter>": delimiter, "<extract>": extract } } = model.about;
  const story = element("textarea", { rows: 5, spellcheck: false });
  const endings = [];
  const fields = element("div");
  const read = element("div");
  const answer = element("div");
  let label = "";

  const choose = latest(async (isLast) => {
    const context = tokenizer.encode(story.value);
    const texts = endings.map(({ value }) => value).filter((text) => tokenizer.split(text).length);
    const encoded = texts.map((text) => tokenizer.encode(text));
    const rows = encoded.map((ids) => [bos, ...context, delimiter, ...ids, extract]);
    const longest = Math.max(...rows.map(({ length }) => length));
    const wrong = context.length && texts.length > 1 ? tooLong(longest, maxLen) : "Write a story and two endings or more.";
    if (wrong) {
      read.replaceChildren();
      answer.replaceChildren();
      return say(wrong);
    }
    const { ids, extract: ends, branches, positions } = pack(rows);
    const { looks: [{ data: shares }] } = await model.run(ids, ends, branches, positions);
    if (!isLast()) return;
    const part = (caption, row, words) => tokenList(caption, tokenizer, row, words);
    read.replaceChildren(part("The story, which is read once", [bos, ...context, delimiter], ["", ...tokenizer.split(story.value), ""]),
      ...texts.map((text, i) => part(`Ending ${i + 1}`, [...encoded[i], extract], [...tokenizer.split(text), ""])));
    answer.replaceChildren(bars("The probability of each ending", texts.map((text, i) => [text, shares[i]])));
    const [best] = ranked(shares);
    const told = label ? ` The right ending is: “${label}”` : "";
    say(`${unknown(tokenizer, [story.value, ...texts].join(" "))}Most probable: “${texts[best]}”, ${(100 * shares[best]).toFixed(1)} %.${told}`);
  });

  const changed = () => { label = ""; choose(); };
  const add = (value = "") => {
    const input = element("input", { type: "text", value, spellcheck: false });
    input.addEventListener("input", changed);
    endings.push(input);
    fields.append(field(`Ending ${endings.length}`, input));
    return input;
  };
  story.addEventListener("input", changed);
  root.append(field("Your story", story), fields, button("Add an ending", () => add().focus()), answer,
    element("details", {}, element("summary", {}, "What the network reads"), read));
  const show = ({ texts: [context, choices], label: right }) => {
    story.value = context;
    endings.length = 0;
    fields.replaceChildren();
    choices.forEach(add);
    label = choices[right];
    return choose();
  };
  await show(example);
  return show;
}
