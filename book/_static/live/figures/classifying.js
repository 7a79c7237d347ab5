// Chapter 3.2: one text or two of the reader's own, as the row of tokens that the network reads, and what its head says.

import { element } from "../element.js";
import { ranked } from "../decoding.js";
import { bars, field, latest, tokenList, tooLong, unknown } from "./parts.js";

export async function build(root, model, { fields = "Your text", text = "", second = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos, "<delimiter>": delimiter, "<extract>": extract } = model.about.special;
  const inputs = fields.split(", ").map((_, i) => element("textarea", { rows: 2, value: i ? second : text, spellcheck: false }));
  const row = element("div");
  const answer = element("div");

  const classify = latest(async (isLast) => {
    const texts = inputs.map((input) => tokenizer.encode(input.value));
    const ids = [bos, ...texts.flatMap((of, i) => (i ? [delimiter, ...of] : of)), extract];
    const wrong = texts.every((of) => of.length) ? tooLong(ids.length, model.about.max_len) : "Write a text in each field.";
    if (wrong) {
      row.replaceChildren();
      answer.replaceChildren();
      return say(wrong);
    }
    const { looks: [{ data: shares }] } = await model.run(ids);
    if (!isLast()) return;
    const written = inputs.map((input) => tokenizer.split(input.value));
    const names = ["", ...written.flatMap((of, i) => (i ? ["", ...of] : of)), ""];
    row.replaceChildren(tokenList("What the network reads", tokenizer, ids, names));
    const { labels } = model.about;
    answer.replaceChildren(bars("The probability of each class", labels.map((label, i) => [label, shares[i]])));
    const [best] = ranked(shares);
    say(`${unknown(tokenizer, inputs.map((input) => input.value).join(" "))}Most probable: ${labels[best]}, ${(100 * shares[best]).toFixed(1)} %.`);
  });

  for (const input of inputs) input.addEventListener("input", classify);
  root.append(...inputs.map((input, i) => field(fields.split(", ")[i], input)), row, answer);
  await classify();
}
