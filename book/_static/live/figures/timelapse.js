// Chapter 1.2: the weights of a training at twelve of its steps. A slider shows the attention map of a sentence at each.

import { element } from "../element.js";
import { ranked, translation } from "../decoding.js";
import { button, field, latest, map, slider, tooLong, unknown } from "./parts.js";

// The loss over the steps as a line, with the chosen step as a point.
function curve(steps, chosen) {
  const [width, height] = [240, 60];
  const [most, last] = [Math.max(...steps.map(({ loss }) => loss)), steps.at(-1).step];
  const at = ({ step, loss }) => [(4 + ((width - 8) * step) / last).toFixed(1), (height - 4 - ((height - 8) * loss) / most).toFixed(1)];
  const [x, y] = at(steps[chosen]);
  const box = element("div", { className: "live-curve", aria: { hidden: "true" } });
  box.innerHTML = `<svg viewBox="0 0 ${width} ${height}"><polyline points="${steps.map((step) => at(step).join()).join(" ")}"/><circle cx="${x}" cy="${y}" r="4"/></svg>`;
  return box;
}

export async function build(root, model, { text = "" }, say) {
  const [source, target] = model.tokenizers;
  const steps = model.about.steps;
  const total = steps.at(-1).step;
  let chosen = 0;
  let ids = [];
  let rows = []; // what the network of the last step writes: the rows of every map
  const input = element("input", { type: "text", value: text, spellcheck: false });
  const output = element("p", { className: "live-output", lang: "zh" });
  const line = element("div");
  const looks = element("div");
  const about = "One row per character that the network writes after the last step, one column per source word. "
    + "✓: after the characters above it, the network of the chosen step predicts this character; ✗: it predicts another one.";

  const show = latest(async (isLast, before = "") => {
    if (!ids.length) return;
    const { step, loss } = steps[chosen];
    const at = model.steps[chosen];
    const [{ looks: [{ data: weights }], logits }, written] = await Promise.all([
      at.run(ids, [at.about.special["<bos>"], ...rows]),
      translation(at, ids, isLast),
    ]);
    if (!isLast()) return;
    line.replaceChildren(curve(steps, chosen));
    output.textContent = target.decode(written) || "(nothing)";
    const eos = at.about.special["<eos>"];
    const names = [...rows, eos].map((id, i) => {
      const guess = ranked(logits[i])[0];
      return `${target.names[id]} ${guess === id ? "✓" : "✗"}`;
    });
    looks.replaceChildren(map(`Attention weights after step ${step}`, names, ids.map((id) => source.names[id]), (i, j) => weights[i * ids.length + j]));
    say(`${before}After step ${step} of ${total}, the loss is ${loss.toFixed(2)} nats per token. Translation: ${output.textContent}`);
  });
  const translate = latest(async (isLast) => {
    const read = source.encode(input.value);
    const wrong = read.length ? tooLong(read.length, model.about.max_len - 1) : "Write a sentence.";
    if (wrong) return say(wrong);
    const written = await translation(model.steps.at(-1), read, isLast);
    if (!isLast()) return;
    [ids, rows] = [read, written];
    await show(unknown(source, input.value));
  });
  const moved = slider("step of training", { min: 0, max: steps.length - 1, value: chosen, shown: (i) => String(steps[i].step) },
    (i) => { chosen = i; moved.input.setAttribute("aria-valuetext", `step ${steps[i].step}`); show(); });
  moved.input.setAttribute("aria-valuetext", `step ${steps[chosen].step}`);

  input.addEventListener("change", translate);
  input.addEventListener("keydown", (event) => event.key === "Enter" && translate());
  root.append(moved.row, line, field("An English sentence", input), element("div", { className: "live-buttons" }, button("Translate", translate)), output, looks, element("p", {}, about));
  await translate();
}
