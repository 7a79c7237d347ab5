// Chapter 3.1: the distribution of the next token, and a text that grows by draws from it.

import { element } from "../element.js";
import { distribution, draw, ranked, stream } from "../decoding.js";
import { bars, button, field, latest, slider, tooLong, unknown } from "./parts.js";

export async function build(root, model, { text = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos, "<eos>": eos } = model.about.special;
  const settings = { temperature: 1, k: 0, p: 1 };
  const random = stream(1);
  const prompt = element("textarea", { rows: 3, value: text, spellcheck: false });
  const list = element("div");
  let logits;

  const show = () => {
    const shares = distribution(logits, settings);
    const left = shares.filter(Boolean).length;
    const top = ranked(shares).slice(0, 10).filter((i) => shares[i]);
    list.replaceChildren(bars(`The most probable next tokens, of ${left} that can be drawn`, top.map((i) => [tokenizer.names[i], shares[i]])));
  };
  const read = latest(async (isLast) => {
    const ids = [bos, ...tokenizer.encode(prompt.value)];
    const wrong = tooLong(ids.length, model.about.max_len);
    if (wrong) return say(wrong);
    const result = await model.run(ids);
    if (!isLast()) return;
    logits = result.logits.at(-1);
    show();
    say(unknown(tokenizer, prompt.value));
  });
  const grow = async (count) => {
    const began = performance.now();
    let ids = [bos, ...tokenizer.encode(prompt.value)];
    let made = 0;
    for (; made < count && ids.length < model.about.max_len; made++) {
      const next = draw(distribution((await model.run(ids)).logits.at(-1), settings), random);
      if (next === eos) break;
      ids = [...ids, next];
    }
    prompt.value = tokenizer.decode(ids);
    await read();
    const seconds = (performance.now() - began) / 1000;
    root.dataset.speed = made / seconds;
    say(made < count ? "The text has ended, or the window is full." : `${made} tokens, ${(made / seconds).toFixed(0)} per second.`);
  };

  const sliders = [
    slider("temperature", { min: 0.1, max: 2, step: 0.1, value: 1, shown: (x) => x.toFixed(1) }, (x) => { settings.temperature = x; show(); }),
    slider("top-k", { min: 0, max: 50, value: 0, shown: (x) => (x ? String(x) : "all") }, (x) => { settings.k = x; show(); }),
    slider("top-p", { min: 0.05, max: 1, step: 0.05, value: 1, shown: (x) => x.toFixed(2) }, (x) => { settings.p = x; show(); }),
  ];
  prompt.addEventListener("input", read);
  const buttons = element("div", { className: "live-buttons" }, button("Draw a token", () => grow(1)), button("Draw 20", () => grow(20)),
    button("Start over", () => { prompt.value = text; read(); }));
  root.append(field("Your text", prompt), ...sliders.map(({ row }) => row), buttons, list);
  await read();
}
