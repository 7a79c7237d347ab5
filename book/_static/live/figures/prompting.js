// Chapter 3.3: a prompt of the reader's own, with examples and without them, and the probabilities of the possible answers.

import { element } from "../element.js";
import { greedy, nll, ranked } from "../decoding.js";
import { bars, button, field, latest, tokenList, tooLong, unknown } from "./parts.js";

const MOST = 10; // answers: each one is a pass through the network

export async function build(root, model, { examples = "", text = "", answers = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "<bos>": bos, "<eos>": eos } = model.about.special;
  const stops = [eos, ...tokenizer.encode("."), ...tokenizer.encode("。")];
  const given = element("textarea", { rows: 4, value: examples, spellcheck: false });
  const question = element("textarea", { rows: 2, value: text, spellcheck: false });
  const possible = element("input", { type: "text", value: answers, spellcheck: false });
  const row = element("div");
  const lists = element("div", { className: "live-columns" });

  const lines = () => given.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const choices = () => possible.value.split("/").map((answer) => answer.trim()).filter(Boolean);

  // P(answer | prompt) of each answer, the product over its tokens, and what the network writes up to a full stop.
  const ask = async (ids, of, isLast) => {
    const shares = [];
    for (const answer of of) {
      const all = [...ids, ...tokenizer.encode(answer)];
      const { logits } = await model.run(all.slice(0, -1));
      if (!isLast()) return undefined;
      shares.push(Math.exp(-all.slice(ids.length).reduce((sum, id, i) => sum + nll(logits[ids.length - 1 + i], id), 0)));
    }
    const found = await greedy((so) => model.run(so), ids, stops, Math.min(ids.length + 30, model.about.max_len), isLast);
    return found && { shares, written: tokenizer.decode(found.written.slice(ids.length)) };
  };

  const answer = latest(async (isLast) => {
    const of = choices();
    const [longer, plain] = [[...lines(), question.value].join(" "), question.value].map((prompt) => [bos, ...tokenizer.encode(prompt)]);
    const longest = Math.max(0, ...of.map((one) => tokenizer.encode(one).length));
    const wrong = plain.length < 2 ? "Write a question."
      : !of.length || of.length > MOST ? `Write 1 to ${MOST} possible answers, with / between them.`
        : tooLong(longer.length + longest, model.about.max_len);
    if (wrong) {
      row.replaceChildren();
      lists.replaceChildren();
      return say(wrong);
    }
    const without = await ask(plain, of, isLast);
    const withThem = without && longer.length > plain.length ? await ask(longer, of, isLast) : without;
    if (!withThem || !isLast()) return;
    const read = lines().concat(question.value).flatMap((line) => tokenizer.split(line));
    row.replaceChildren(tokenList("What the network reads", tokenizer, longer, ["", ...read]));
    const both = withThem === without ? [["Without examples", without]] : [["With the examples", withThem], ["Without the examples", without]];
    lists.replaceChildren(...both.map(([name, { shares, written }]) => element("div", {},
      bars(`${name}: the probability of each answer`, of.map((one, i) => [one, shares[i]])), element("p", {}, `The network writes: “${written}”`))));
    const told = both.map(([name, { shares }]) => {
      const [best] = ranked(shares);
      return `${name}, the most probable answer is “${of[best]}”, ${(100 * shares[best]).toFixed(1)} %.`;
    });
    say(`${unknown(tokenizer, [given.value, question.value, ...of].join(" "))}${told.join(" ")}`);
  });

  // Each example that ends with a possible answer gets the next one instead.
  const exchange = () => {
    const of = choices();
    given.value = lines().map((line) => {
      const i = of.findIndex((one) => line.endsWith(` ${one}`));
      return i < 0 ? line : line.slice(0, -of[i].length) + of[(i + 1) % of.length];
    }).join("\n");
    answer();
  };

  for (const input of [given, question, possible]) input.addEventListener("input", answer);
  const start = () => {
    [given.value, question.value, possible.value] = [examples, text, answers];
    answer();
  };
  root.append(field("Examples, one per line, each with its answer", given), field("The question, without its answer", question),
    field("Possible answers, with / between them", possible),
    element("div", { className: "live-buttons" }, button("Exchange the answers of the examples", exchange),
      button("Remove the examples", () => { given.value = ""; answer(); }), button("Start over", start)), row, lists);
  await answer();
}
