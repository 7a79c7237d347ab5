// Chapter 2.2: every head of an encoder-decoder while it translates a sentence of the reader's own, one token at a time.

import { element } from "../element.js";
import { greedy, ranked, softmax } from "../decoding.js";
import { bars, button, field, latest, map, slider, tooLong, unknown } from "./parts.js";

const LONGEST = 40; // tokens: cells of longer sentences are too small to be seen

export async function build(root, model, { text = "" }, say) {
  const [source, target] = model.tokenizers;
  const { "<bos>": bos, "<eos>": eos } = model.about.special;
  const input = element("input", { type: "text", value: text, spellcheck: false });
  const output = element("p", { className: "live-output", lang: "zh" });
  const next = element("div");
  const grid = element("div", { className: "live-heads" });
  const table = element("div");
  const kinds = {
    encoder: button("Encoder self-attention", () => choose({ kind: "encoder" })),
    decoder: button("Decoder self-attention", () => choose({ kind: "decoder" })),
    cross: button("Cross-attention", () => choose({ kind: "cross" })),
  };
  const chosen = { kind: "cross", layer: 0, head: 0 };
  let heads = []; // buttons, one list per layer
  let words = [];
  let read = []; // what the decoder has read when the translation is complete
  let result;
  let step = 1;

  const translate = latest(async (isLast) => {
    const ids = source.encode(input.value);
    const wrong = ids.length ? tooLong(ids.length, LONGEST, "this figure has room for") : "Write a sentence.";
    if (wrong) return say(wrong);
    const found = await greedy((written) => model.run(ids, written), [bos], [eos], LONGEST, isLast);
    if (!found) return;
    result = found.result;
    words = ids.map((id) => source.names[id]);
    read = found.written.slice(0, result.logits.length);
    stepper.input.max = read.length;
    go(1, unknown(source, input.value));
  });

  const go = (to, before = "") => {
    if (!result) return;
    step = Math.min(Math.max(to, 1), read.length);
    stepper.set(step);
    const shares = softmax(result.logits[step - 1]);
    const top = ranked(shares).slice(0, 5);
    output.textContent = target.decode(read.slice(0, step)) || "…";
    next.replaceChildren(bars("The most probable next tokens", top.map((id) => [target.names[id], shares[id]])));
    draw();
    const [best] = top;
    say(`${before}Step ${step} of ${read.length}: the decoder reads “${target.names[read[step - 1]]}”. Most probable next: “${target.names[best]}”, ${(100 * shares[best]).toFixed(1)} %.`);
  };

  const choose = (change) => {
    Object.assign(chosen, change);
    if (result) draw();
  };

  const draw = () => {
    const names = read.map((id) => target.names[id]);
    const encodes = chosen.kind === "encoder";
    const queries = encodes ? words : names.slice(0, step); // the decoder has not read the others yet
    const keys = chosen.kind === "decoder" ? names : words;
    const rows = encodes ? words.length : names.length;
    const look = result.looks[model.about.looks.indexOf(chosen.kind)];
    const [nLayers, , nHeads] = look.dims;
    const weights = (layer, head) => (i, j) => look.data[((layer * nHeads + head) * rows + i) * keys.length + j];
    const now = encodes ? -1 : step - 1;

    if (!heads.length) {
      heads = Array.from({ length: nLayers }, (_, layer) => Array.from({ length: nHeads }, (_, head) => button("", () => choose({ layer, head }))));
      grid.replaceChildren(...heads.map((of, layer) =>
        element("div", { className: "live-buttons", aria: { role: "group", label: `block ${layer + 1}` } }, element("p", {}, `Block ${layer + 1}`), ...of)));
    }
    for (const [kind, press] of Object.entries(kinds)) press.setAttribute("aria-pressed", kind === chosen.kind);
    for (const [layer, of] of heads.entries()) {
      for (const [head, press] of of.entries()) {
        const weight = weights(layer, head);
        press.innerHTML = picture(queries.length, rows, keys.length, weight, now);
        press.append(element("span", {}, `head ${head + 1}`));
        if (now >= 0) press.append(element("span", { className: "live-hidden" }, most(names[now], keys, (j) => weight(now, j))));
        press.setAttribute("aria-pressed", layer === chosen.layer && head === chosen.head);
      }
    }
    const caption = `${kinds[chosen.kind].textContent}, block ${chosen.layer + 1}, head ${chosen.head + 1}`;
    const large = map(caption, queries, encodes || chosen.kind === "cross" ? keys : keys.slice(0, step), weights(chosen.layer, chosen.head));
    if (now >= 0) large.querySelectorAll("tbody tr")[now].setAttribute("aria-current", "step");
    table.replaceChildren(large);
  };

  const stepper = slider("step", { min: 1, max: 1, value: 1, shown: (x) => `${x} of ${Math.max(read.length, 1)}` }, (x) => go(x));
  const steps = element("div", { className: "live-buttons" }, button("Previous token", () => go(step - 1)), button("Next token", () => go(step + 1)));
  input.addEventListener("change", translate);
  input.addEventListener("keydown", (event) => event.key === "Enter" && translate());
  root.append(field("An English sentence", input), element("div", { className: "live-buttons" }, button("Translate", translate)),
    stepper.row, steps, output, next,
    element("div", { className: "live-buttons", aria: { role: "group", label: "attention" } }, ...Object.values(kinds)), grid, table);
  await translate();
}

// A small map without names: the rows that are there, and a frame around the one of this step.
function picture(drawn, rows, columns, weight, now) {
  let cells = "";
  for (let i = 0; i < drawn; i++) {
    for (let j = 0; j < columns; j++) {
      const value = weight(i, j);
      if (value > 0.01) cells += `<rect x="${j}" y="${i}" width="1" height="1" fill-opacity="${value.toFixed(2)}"/>`;
    }
  }
  const frame = now < 0 ? "" : `<rect class="now" x="0" y="${now}" width="${columns}" height="1"/>`;
  return `<svg viewBox="0 0 ${columns} ${rows}" preserveAspectRatio="none" aria-hidden="true">${cells}${frame}</svg>`;
}

function most(query, keys, weight) {
  const [best] = ranked(keys.map((_, j) => weight(j)));
  return `: “${query}” attends most to “${keys[best]}”, ${weight(best).toFixed(2)}`;
}
