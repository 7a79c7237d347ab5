// The attention weights of every head, for a text of the reader's own.

import { element } from "../live.js";
import { field, latest, map, slider, tooLong, unknown } from "./parts.js";

export async function build(root, model, { text = "", layer = 1, head = 1 }, say) {
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos, "[CLS]": cls, "[SEP]": sep } = model.about.special;
  const input = element("textarea", { rows: 2, value: text, spellcheck: false });
  const place = element("div");
  let found;
  const at = { layer, head };

  const show = () => {
    const { ids, looks, dims } = found; // (layers, 1, heads, T, T)
    const [, , heads, n] = dims;
    const first = ((at.layer - 1) * heads + at.head - 1) * n * n;
    const names = ids.map((id) => tokenizer.names[id]);
    place.replaceChildren(map(`Layer ${at.layer}, head ${at.head}: one row per query, one column per key`, names, names, (i, j) => looks[first + i * n + j]));
  };
  const read = latest(async (isLast) => {
    const ids = cls === undefined ? [bos, ...tokenizer.encode(input.value)] : [cls, ...tokenizer.encode(input.value), sep];
    const wrong = tooLong(ids.length, Math.min(32, model.about.max_len));
    if (wrong) return say(wrong);
    const { looks, dims } = await model.run(ids);
    if (!isLast()) return;
    found = { ids, looks, dims };
    layers.input.max = dims[0];
    heads.input.max = dims[2];
    show();
    say(unknown(tokenizer, input.value));
  });

  const layers = slider("layer", { min: 1, max: 4, value: layer }, (x) => { at.layer = x; show(); });
  const heads = slider("head", { min: 1, max: 4, value: head }, (x) => { at.head = x; show(); });
  input.addEventListener("input", read);
  root.append(field("Your text", input), layers.row, heads.row, place);
  await read();
}
