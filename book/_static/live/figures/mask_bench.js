// Chapter 6.1: one network, one slider. Where the prefix ends decides which positions attend to which, which logits a
// changed token can move, and which tokens are predicted at all.

import { element } from "../element.js";
import { nll, ranked, softmax } from "../decoding.js";
import { button, field, latest, slider, tooLong, unknown } from "./parts.js";

export async function build(root, model, { text = "", prefix = 0, other = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos } = model.about.special;
  const input = element("textarea", { rows: 2, value: text, spellcheck: false });
  const replacement = element("input", { type: "text", value: other, spellcheck: false });
  const bench = element("div", { className: "live-scroll", tabIndex: 0, aria: { role: "region", label: "mask and logits" } });
  let ids = [];
  let length = Number(prefix);
  let changed = -1;

  const update = latest(async (isLast) => {
    ids = [bos, ...tokenizer.encode(input.value)];
    const wrong = ids.length < 3 ? "Write at least two words." : tooLong(ids.length, Math.min(24, model.about.max_len));
    if (wrong) return say(wrong);
    length = Math.min(length, ids.length);
    bar.input.max = ids.length;
    bar.set(length);
    const before = await model.run(ids, length);
    let moves;
    const [word] = tokenizer.encode(replacement.value);
    if (changed >= 0 && changed < ids.length && word !== undefined) {
      const after = await model.run(ids.map((id, i) => (i === changed ? word : id)), length);
      moves = before.logits.map((row, i) => row.reduce((most, x, j) => Math.max(most, Math.abs(x - after.logits[i][j])), 0));
    }
    if (!isLast()) return;
    bench.replaceChildren(picture(before, moves));
    const kind = length <= 1 ? "causal, as in GPT" : length === ids.length ? "bidirectional, as in an encoder: nothing is left to predict" : "a prefix decoder";
    const loss = losses(before);
    const mean = loss.length ? ` Mean loss of the ${loss.length} tokens after the prefix: ${(loss.reduce((a, b) => a + b, 0) / loss.length).toFixed(2)} nats.` : "";
    const moved = moves ? ` A change of “${name(changed)}” moves the logits at ${moves.filter((x) => x > 1e-6).length} of ${ids.length} positions.` : "";
    root.dataset.moved = moves ? moves.map((x) => (x > 1e-6 ? 1 : 0)).join("") : "";
    say(`${unknown(tokenizer, input.value)}Prefix ${length}: ${kind}.${mean}${moved}`);
  });
  const name = (i) => tokenizer.names[ids[i]];
  const losses = ({ logits }) => ids.slice(1).map((id, i) => [i, nll(logits[i], id)]).filter(([i]) => i + 1 >= Math.max(1, length)).map(([, x]) => x);

  // One row per query: its mask, how far its logits moved, what it predicts next, and the loss of the token that follows.
  const picture = ({ logits }, moves) => {
    const head = element("tr", {}, element("th", { scope: "col" }, "query"),
      ...ids.map((_, j) => element("th", { scope: "col" }, element("span", {}, name(j)))),
      element("th", { scope: "col" }, "moved"), element("th", { scope: "col" }, "predicts"), element("th", { scope: "col" }, "loss"));
    const rows = ids.map((id, i) => {
      const choose = element("button", { type: "button", aria: { pressed: i === changed }, title: "change this token" }, name(i));
      choose.disabled = i === 0;
      choose.addEventListener("click", () => { changed = i === changed ? -1 : i; update(); });
      const cells = ids.map((_, j) => {
        const may = j <= i || j < length;
        const cell = element("td", { className: may ? "may" : "" }, element("span", { className: "live-hidden" }, may ? "attends" : ""));
        if (j === changed && moves) cell.classList.add("changed");
        return cell;
      });
      const predicts = i + 1 >= length && i + 1 < ids.length;
      const best = ranked(softmax(logits[i]))[0];
      const move = moves ? moves[i] : undefined;
      const bar = element("td", { className: "live-number" }, move === undefined ? "" : move > 1e-6 ? move.toFixed(1) : "0");
      if (move > 1e-6) bar.classList.add("moved");
      return element("tr", {}, element("th", { scope: "row" }, choose), ...cells, bar,
        element("td", {}, predicts || i + 1 === ids.length ? tokenizer.names[best] : "–"),
        element("td", { className: "live-number" }, predicts ? nll(logits[i], ids[i + 1]).toFixed(2) : "–"));
    });
    return element("table", { className: "live-bench" }, element("thead", {}, head), element("tbody", {}, ...rows));
  };

  const bar = slider("prefix", { min: 0, max: 24, value: length }, (x) => { length = x; update(); });
  input.addEventListener("input", update);
  replacement.addEventListener("change", update);
  const masks = element("div", { className: "live-buttons" }, button("Causal", () => { length = 0; update(); }),
    button("Prefix", () => { length = Math.ceil(ids.length / 2); update(); }), button("Full", () => { length = ids.length; update(); }));
  root.append(field("Your text", input), bar.row, masks, field("Press a token in the first column to replace it by", replacement), bench);
  await update();
}
