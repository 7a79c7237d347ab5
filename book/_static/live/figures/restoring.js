// Chapter 5.1: words are taken out of a text; T5 writes the words of each gap, and BART writes the whole text anew.

import { element } from "../element.js";
import { drawNoise, replaceRuns, restore, spansOf } from "../corruption.js";
import { beam, nll, pause, stream } from "../decoding.js";
import { bars, button, field, latest, percent, tooLong, unknown, wordButtons } from "./parts.js";

const BEAMS = 5; // as in `objective.fill`
const [RATE, MEAN_LENGTH] = [0.3, 2]; // of noise by chance

// What a network reads and has to write, as lists of {id, word}, where only tokens of the text have a word; how it begins
// and where it stops. Or what is `wrong` with the text.
function t5Task(tokenizer, { "<pad>": pad, "<eos>": eos }, tokens, noise) {
  const sentinel = (n) => ({ id: tokenizer.ids.get(`<extra_id_${n}>`) });
  if (!noise.includes(true)) return { wrong: "There is no gap, so T5 has nothing to write." };
  if (noise[0]) return { wrong: "T5 never takes the first word away. Give it back." };
  const [source, target] = [noise, noise.map((lost) => !lost)].map((lost) => [...replaceRuns(tokens, lost, sentinel), { id: eos }]);
  const gaps = source.filter(({ id }) => tokenizer.names[id].startsWith("<extra_id_")).map(({ id }) => id);
  return { source, target, start: [pad], stops: [eos, sentinel(gaps.length).id], gaps };
}

function bartTask(tokenizer, { "<bos>": bos, "<eos>": eos }, tokens, noise) {
  const mask = { id: tokenizer.ids.get("<mask>") };
  const whole = (of) => [{ id: bos }, ...of, { id: eos }];
  return { source: whole(replaceRuns(tokens, noise, () => mask)), target: whole(tokens), start: [eos, bos], stops: [eos] };
}

export async function build(root, [t5, bart], { text = "", hidden = "" }, say) {
  const input = element("textarea", { rows: 3, value: text, spellcheck: false });
  const begins = () => String(hidden).split(" ").filter(Boolean).map(Number);
  const lost = new Set(begins());
  const random = stream(1);
  const panels = [panel("T5", t5, t5Task), panel("BART", bart, bartTask)];
  const split = () => t5.tokenizers[0].split(input.value);

  const work = latest(async (isLast) => {
    const words = split();
    if (!words.length) {
      for (const { group } of panels) group.replaceChildren();
      return say("Write a text.");
    }
    const noise = words.map((_, i) => lost.has(i));
    const told = [];
    for (const { show } of panels) {
      const line = await show(input.value, words, noise, isLast);
      if (!isLast()) return;
      told.push(line);
    }
    say(`${unknown(t5.tokenizers[0], input.value)}${told.join(" ")}`);
  });
  const words = wordButtons("Words: press one to take it away", lost, work);
  const change = (to) => {
    lost.clear();
    for (const i of to) lost.add(i);
    words.draw(split());
    work();
  };
  const byChance = () => {
    const { length } = split();
    if (length > 1) change(drawNoise(length, RATE, MEAN_LENGTH, random).flatMap((is, i) => (is ? [i] : [])));
  };
  const again = () => { input.value = text; change(begins()); };

  input.addEventListener("input", () => { words.draw(split()); work(); });
  root.append(field("Your text", input), words.group,
    element("div", { className: "live-buttons" }, button("Take words away by chance", byChance),
      button("Give all words back", () => change([])), button("Start over", again)), ...panels.map(({ group }) => group));
  words.draw(split());
  await work();
}

// What one network reads, has to write, and writes.
function panel(name, model, task) {
  const [tokenizer] = model.tokenizers;
  const { special, max_len: maxLen } = model.about;
  const group = element("div", { className: "live-panel", aria: { role: "group", label: name } });
  // As decode, but with <unk>: an unknown word is not dropped.
  const written = (ids) => (!ids.includes(tokenizer.unk) ? tokenizer.decode(ids)
    : ids.filter((id) => id === tokenizer.unk || !tokenizer.special.has(id)).map((id) => tokenizer.names[id]).join(" "));

  const show = async (text, words, noise, isLast) => {
    const title = element("p", {}, element("strong", {}, name));
    const tokens = tokenizer.encode(text).map((id, i) => ({ id, word: words[i] }));
    const { wrong: none, source, target, start, stops, gaps } = task(tokenizer, special, tokens, noise);
    const wrong = none ?? tooLong(Math.max(source.length, target.length), maxLen, `${name} reads`);
    if (wrong) {
      group.replaceChildren(title, element("p", {}, wrong));
      return wrong;
    }
    const [reads, labels] = [source, target].map((of) => of.map(({ id }) => id));
    const { logits } = await model.run(reads, [start[0], ...labels.slice(0, -1)]);
    if (!isLast()) return "";
    const losses = labels.map((id, i) => nll(logits[i], id));
    const mean = losses.reduce((a, b) => a + b) / losses.length;

    const next = async (rows) => {
      await pause();
      const length = start.length + rows[0].length;
      const { logits: all } = await model.run(rows.map(() => reads), rows.map((ids) => [...start, ...ids]));
      return rows.map((_, i) => all[(i + 1) * length - 1]);
    };
    const room = Math.min(maxLen + 1 - start.length, 2 * reads.length + 10);
    const found = await beam(next, stops, room, BEAMS, isLast);
    if (!found) return "";
    const [best] = found;
    const texts = (ids) => written(gaps ? restore(reads.slice(0, -1), ids, gaps) : ids);
    group.replaceChildren(title,
      tokenRow(tokenizer, "The encoder reads", source),
      tokenRow(tokenizer, `The decoder has to write, with the loss of each token in nats (${mean.toFixed(2)} in the mean)`, target,
        losses.map((loss) => [Math.min(loss / 10, 1), loss.toFixed(1)])),
      tokenRow(tokenizer, "The decoder writes, with the probability of each token", best.ids.map((id) => ({ id, word: tokenizer.special.has(id) ? "" : tokenizer.names[id] })),
        best.shares.map((share) => [share, percent(share)])),
      element("p", { className: "live-output" }, texts(best.ids)),
      gaps ? element("div", { className: "live-columns" }, ...gaps.map((gap) =>
        bars(`Words for ${tokenizer.names[gap]} in the best ${found.length} answers`, contents(found, gap, gaps, written), percent)))
        : list(`The best ${found.length} answers`, found.map(({ ids, score }) => [percent(Math.exp(score)), written(ids) || "(nothing)"])));
    return `${name} writes: “${texts(best.ids)}”`;
  };
  return { group, show };
}

// The different words that the answers have for a gap, each with the sum of their probabilities, as `fill_gaps` lists them.
export function contents(found, gap, gaps, written) {
  const sums = new Map();
  for (const { ids, score } of found) {
    const words = written(spansOf(ids, gaps).get(gap) ?? []).trim() || "(nothing)";
    sums.set(words, (sums.get(words) ?? 0) + Math.exp(score));
  }
  return [...sums].sort(([, a], [, b]) => b - a);
}

// Long texts, each after its probability.
function list(caption, rows) {
  return element("table", {}, element("caption", {}, caption), ...rows.map(([share, text]) =>
    element("tr", {}, element("td", { className: "live-number" }, share), element("th", { scope: "row" }, text))));
}

// Tokens as boxes, each with a bar and a number under it, if there are numbers: [share of the bar, text].
function tokenRow(tokenizer, caption, tokens, numbers) {
  const boxes = tokens.map(({ id, word }, i) => {
    const name = tokenizer.names[id];
    const isUnknown = word && id === tokenizer.unk;
    const box = element("li", { className: isUnknown ? "unknown" : word ? "" : "special" }, isUnknown ? `${word} → ${name}` : name);
    if (numbers) {
      const bar = element("span", { className: "live-bar" });
      bar.style.width = `${(100 * numbers[i][0]).toFixed(1)}%`;
      box.append(bar, " ", element("span", { className: "live-number" }, numbers[i][1]));
    }
    return box;
  });
  return element("div", {}, element("p", {}, `${caption}:`), element("ul", { className: "live-tokens", aria: { label: caption } }, ...boxes));
}
