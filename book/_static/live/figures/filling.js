// Chapter 4.1: hide any words of a text, and see what BERT puts in their places.

import { element } from "../element.js";
import { ranked, softmax } from "../decoding.js";
import { bars, field, latest, tooLong, unknown, wordButtons } from "./parts.js";

export async function build(root, model, { text = "", hidden = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "[CLS]": cls, "[SEP]": sep, "[MASK]": mask } = model.about.special;
  const excluded = new Set(Object.values(model.about.special));
  const input = element("textarea", { rows: 3, value: text, spellcheck: false });
  const lists = element("div", { className: "live-columns" });
  const masked = new Set(String(hidden).split(" ").filter(Boolean).map(Number));

  const fill = latest(async (isLast) => {
    const ids = tokenizer.encode(input.value);
    const wrong = tooLong(ids.length + 2, model.about.max_len);
    if (wrong) return say(wrong);
    if (!masked.size) { lists.replaceChildren(); return say("Press a word to hide it."); }
    const result = await model.run([cls, ...ids.map((id, i) => (masked.has(i) ? mask : id)), sep]);
    if (!isLast()) return;
    const said = [];
    lists.replaceChildren(...[...masked].sort((a, b) => a - b).map((i) => {
      const logits = Array.from(result.logits[i + 1], (x, id) => (excluded.has(id) ? -Infinity : x));
      const shares = softmax(logits);
      const top = ranked(shares).slice(0, 5);
      said.push(tokenizer.names[top[0]]);
      return bars(`In place of “${tokenizer.names[ids[i]]}”`, top.map((id) => [tokenizer.names[id], shares[id]]));
    }));
    say(`${unknown(tokenizer, input.value)}Most probable: ${said.join(", ")}.`);
  });
  const words = wordButtons("Words: press one to hide it", masked, fill);
  const draw = () => words.draw(tokenizer.split(input.value));

  input.addEventListener("input", () => { draw(); fill(); });
  root.append(field("Your text", input), words.group, lists);
  draw();
  await fill();
}
