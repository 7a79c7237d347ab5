// Chapter 7.1: one sentence in all networks that translate it, and what each position may attend to in each of them.

import { element } from "../element.js";
import { greedy, ranked, softmax } from "../decoding.js";
import { button, field, latest, slider, tooLong, unknown } from "./parts.js";

const LONGEST = 40; // tokens of the source
const TITLES = {
  recurrent: "Recurrent network with attention",
  "encoder-decoder": "Encoder-decoder",
  causal: "One stack, causal mask",
  prefix: "One stack, prefix mask",
};
const ENCODER = "It cannot translate. It reads the whole sentence at once, and predicts one class, or one tag for each word. Nothing in it writes one token after the other.";
const RULES = { // what is told of a word of the source, and of a token that is written
  recurrent: ["No attention here: one LSTM brings what stands before the word, and another one what stands after it.",
    "It attends to the source. What is already written reaches this step only through the state of the LSTM."],
  "encoder-decoder": ["The word attends to the whole source, in both directions.",
    "It attends to the whole source, and to what is already written."],
  causal: ["The word attends to itself and to what stands before it. The rest of the source is masked.",
    "It attends to everything before this token: the source, and what is already written."],
  prefix: ["The word attends to the whole source, in both directions.",
    "It attends to everything before this token, as with the causal mask. The masks differ inside the source: choose a word of it."],
};

// The mean over blocks and heads of the weights from position i to all others. The map has the dimensions (…, query, key).
export function weightsOf({ data, dims }, i) {
  const [nQueries, nKeys] = dims.slice(-2).map(Number);
  const nMaps = data.length / (nQueries * nKeys);
  const at = (map, j) => data[(map * nQueries + i) * nKeys + j];
  return Array.from({ length: nKeys }, (_, j) => Array.from({ length: nMaps }, (_, map) => at(map, j)).reduce((a, b) => a + b) / nMaps);
}

// What a position may attend to: a weight for each token that is read, null where there is none, "carried" where an LSTM
// brings it. `word` of the source, or `step` of the translation.
function looker(family, looks, nSource) {
  const none = (n) => Array(n).fill(null);
  if (family === "recurrent") {
    return ({ word, step }, nWritten) => word === undefined
      ? [weightsOf(looks[0], step), [...Array(step + 1).fill("carried"), ...none(nWritten - step)]]
      : [Array(nSource).fill("carried"), none(nWritten + 1)];
  }
  if (family === "encoder-decoder") {
    const [encoder, decoder, cross] = looks;
    return ({ word, step }, nWritten) => word === undefined
      ? [weightsOf(cross, step), [...weightsOf(decoder, step).slice(0, step + 1), ...none(nWritten - step)]]
      : [weightsOf(encoder, word), none(nWritten + 1)];
  }
  const nPrefix = nSource + 2; // with <bos> and the delimiter
  return ({ word, step }, nWritten) => {
    const query = word === undefined ? nPrefix - 1 + step : word + 1;
    const end = family === "prefix" ? Math.max(query + 1, nPrefix) : query + 1;
    const row = [...weightsOf(looks[0], query).slice(0, end), ...none(nPrefix + nWritten - end)];
    return [row.slice(0, nPrefix), row.slice(nPrefix)];
  };
}

// The panel of one network.
function panel(model, chosen) {
  const family = model.about.name.replace(/^compare-|-translation$/g, "");
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos, "<eos>": eos, "<delimiter>": delimiter } = model.about.special;
  const stack = family === "causal" || family === "prefix";
  const output = element("p", { className: "live-output", lang: "zh" });
  const rule = element("p");
  const rows = element("div");
  const box = element("div", { className: "live-family", aria: { role: "group", label: TITLES[family] } },
    element("p", {}, element("strong", {}, TITLES[family])), output, rule, rows);
  const made = { box, title: TITLES[family], steps: [] };

  made.translate = async (ids, written, isLast) => {
    const start = stack ? [bos, ...ids, delimiter] : [bos];
    const run = (so) => stack ? model.run(so, family === "prefix" ? start.length : 0) : model.run(ids, so);
    const room = Math.min(model.about.max_len + 1, start.length + 2 * ids.length + 10);
    output.textContent = "…";
    rows.replaceChildren();
    const found = await greedy(run, start, [eos], room, isLast, (so) => (output.textContent = tokenizer.decode(so.slice(start.length))));
    if (!found) return false;
    made.steps = found.result.logits.slice(start.length - 1).map((logits) => {
      const shares = softmax(logits);
      const [best] = ranked(shares);
      return { id: best, share: shares[best] };
    });
    made.text = tokenizer.decode(found.written.slice(start.length));
    output.textContent = made.text || "(nothing)";
    const sees = looker(family, found.result.looks, ids.length);
    const token = (id, word) => word !== undefined && id === tokenizer.unk ? `${written[word]} → <unk>` : tokenizer.names[id];
    made.draw = (at) => {
      const words = ids.map((id, word) => ({ name: token(id, word), unknown: id === tokenizer.unk, at: { word } }));
      const steps = made.steps.map(({ id, share }, step) => ({ name: tokenizer.names[id], share, at: { step } }));
      const [first] = stack ? [{ name: "<bos>" }] : [];
      const source = stack ? [first, ...words, { name: "<delimiter>" }] : words;
      const target = stack ? steps : [{ name: "<bos>" }, ...steps];
      const [toSource, toTarget] = at.step >= steps.length ? [[], []] : sees(at, steps.length);
      const most = Math.max(...[...toSource, ...toTarget].filter((weight) => weight > 0));
      const list = (label, tokens, weights) => element("ul", { className: "live-tokens", aria: { label } }, ...tokens.map((one, i) => tokenBox(one, weights[i], most, at, chosen)));
      rows.replaceChildren(list(stack ? "source" : "encoder", source, toSource), list(stack ? "translation" : "decoder", target, toTarget));
      rule.textContent = at.step >= steps.length ? "This translation has ended." : RULES[family][at.word === undefined ? 1 : 0];
      const nSeen = [...toSource, ...toTarget].filter((weight) => typeof weight === "number").length;
      if (at.step >= steps.length) return "has ended";
      if (at.word !== undefined) return nSeen ? `attends to ${nSeen} tokens` : "has no attention here";
      return `“${steps[at.step].name}”, ${(100 * steps[at.step].share).toFixed(1)} %`;
    };
    return true;
  };
  return made;
}

function tokenBox({ name, unknown: isUnknown, share, at: own }, weight, most, at, chosen) {
  const is = own && own.word === at.word && own.step === at.step;
  let told = weight?.toFixed?.(2) ?? "";
  if (weight === null) told = "masked or not yet written";
  if (weight === "carried") told = "carried by the LSTM";
  if (is && own.step !== undefined) told = "written here";
  const box = element("li", { title: told }, name, element("span", { className: "live-hidden" }, ` ${told}`));
  if (share !== undefined) box.append(element("span", { className: "live-share" }, `${(100 * share).toFixed(0)} %`));
  if (isUnknown) box.classList.add("unknown");
  if (is) box.setAttribute("aria-current", "true");
  else if (weight === null) box.classList.add("masked");
  if (weight > 0) box.style.setProperty("--weight", weight / most);
  if (own) box.addEventListener("click", () => chosen(own)); // for a mouse; the slider does the same with keys
  return box;
}

export async function build(root, models, { text = "" }, say) {
  const [tokenizer] = models[0].tokenizers; // all have the same
  const input = element("input", { type: "text", value: text, spellcheck: false });
  let ids = [];
  let words = [];
  const panels = models.map((model) => panel(model, (at) => go(at.word ?? ids.length + at.step)));
  const at = () => position < ids.length ? { word: position } : { step: position - ids.length };
  let position = 0;

  const translate = latest(async (isLast) => {
    const read = tokenizer.encode(input.value);
    const wrong = read.length ? tooLong(read.length, LONGEST, "this figure has room for") : "Write a sentence.";
    if (wrong) return say(wrong);
    ids = [];
    for (const one of panels) {
      say(`${one.title} …`);
      if (!await one.translate(read, tokenizer.split(input.value), isLast)) return;
    }
    ids = read;
    words = tokenizer.split(input.value);
    moved.input.max = ids.length + Math.max(...panels.map(({ steps }) => steps.length)) - 1;
    go(ids.length, `${unknown(tokenizer, input.value)}${panels.map((one) => `${one.title}: “${one.text}”`).join("; ")}. `);
  });

  const go = (to, before = "") => {
    if (!ids.length) return;
    position = Math.min(Math.max(to, 0), Number(moved.input.max));
    moved.set(position);
    moved.input.setAttribute("aria-valuetext", shown(position));
    const told = panels.map((one) => `${one.title}: ${one.draw(at())}`);
    say(`${before}Seen from ${shown(position)}. ${told.join("; ")}.`);
  };

  const shown = (i) => (i < ids.length ? `word ${i + 1}, “${words[i]}”` : `written token ${i - ids.length + 1}`);
  const moved = slider("look from", { min: 0, max: 1, value: 0, shown }, (i) => go(i));
  input.addEventListener("change", translate);
  input.addEventListener("keydown", (event) => event.key === "Enter" && translate());
  root.append(field("An English sentence", input), element("div", { className: "live-buttons" }, button("Translate", translate)),
    moved.row, ...panels.map(({ box }) => box),
    element("div", { className: "live-family" }, element("p", {}, element("strong", {}, "Encoder")), element("p", {}, ENCODER)));
  await translate();
}
