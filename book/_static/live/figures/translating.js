// Chapters 1.1 and 1.2: a sentence is translated token by token; the context vector, or the weights of every step.

import { element } from "../element.js";
import { greedy } from "../decoding.js";
import { button, field, latest, map, tooLong, unknown } from "./parts.js";

export async function build(root, model, { text = "" }, say) {
  const [source, target] = model.tokenizers;
  const { "<bos>": bos, "<eos>": eos } = model.about.special;
  const aligns = model.about.looks.includes("weights");
  const input = element("input", { type: "text", value: text, spellcheck: false });
  const output = element("p", { className: "live-output", lang: "zh" });
  const looks = element("div");
  let before;

  const translate = latest(async (isLast) => {
    const ids = source.encode(input.value);
    const wrong = ids.length ? tooLong(ids.length, model.about.max_len - 1) : "Write a sentence.";
    if (wrong) return say(wrong);
    const room = Math.min(60, model.about.max_len);
    const show = (written) => (output.textContent = target.decode(written));
    const found = await greedy((written) => model.run(ids, written), [bos], [eos], room, isLast, show);
    if (!found) return;
    const { written, result: { looks: [look] } } = found;
    show(written);
    const words = ids.map((id) => source.names[id]);
    if (aligns) {
      const rows = [...written.slice(1).map((id) => target.names[id]), "<eos>"];
      const weight = (i, j) => look.data[i * ids.length + j];
      looks.replaceChildren(map("Attention weights: one row per step, one column per source word", rows.slice(0, look.dims[1]), words, weight));
    } else {
      looks.replaceChildren(strip(Array.from(look.data), before));
      before = Array.from(look.data);
    }
    say(`${unknown(source, input.value)}Translation: ${output.textContent}`);
  });

  input.addEventListener("change", translate);
  input.addEventListener("keydown", (event) => event.key === "Enter" && translate());
  root.append(field("An English sentence", input), element("div", { className: "live-buttons" }, button("Translate", translate)), output, looks);
  await translate();
}

// The features of the context vector as shades, and how much each has changed since the sentence before.
function strip(values, before) {
  const moved = before && Math.sqrt(values.reduce((sum, x, i) => sum + (x - before[i]) ** 2, 0));
  const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  const row = (numbers) =>
    element("div", { className: "live-strip", aria: { hidden: "true" } }, ...numbers.map((x) => {
      const cell = element("span");
      cell.style.setProperty("--value", Math.max(-1, Math.min(1, x)));
      cell.className = x < 0 ? "negative" : "";
      return cell;
    }));
  const caption = moved === undefined
    ? `The context vector: ${values.length} features, length ${size.toFixed(2)}. Change a word, and translate again.`
    : `The context vector, and below it its change since the sentence before. The change has the length ${moved.toFixed(2)}, the vector ${size.toFixed(2)}.`;
  const rows = before ? [row(values), row(values.map((x, i) => x - before[i]))] : [row(values)];
  return element("div", {}, element("p", {}, caption), ...rows);
}
