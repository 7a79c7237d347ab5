// Chapter 4.2: the answer to a question, marked in a story, and the probability of each word as its start and as its end.

import { element } from "../element.js";
import { ranked, softmax } from "../decoding.js";
import { bars, field, latest, percent, places, tooLong, unknown } from "./parts.js";

// [first, last] of every span of at most `longest` tokens, the one with the largest start + end first.
export function bestSpans(start, end, longest) {
  const found = [];
  for (let i = 0; i < start.length; i++) {
    for (let j = i; j < Math.min(i + longest, start.length); j++) found.push([i, j, Math.fround(start[i] + end[j])]);
  }
  return found.sort(([, , a], [, , b]) => b - a).map(([i, j]) => [i, j]);
}

export async function build(root, model, { text = "", question = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { special: { "[CLS]": cls, "[SEP]": sep, "<unk>": unk }, longest_answer: longest, max_len: maxLen } = model.about;
  const story = element("textarea", { rows: 5, value: text, spellcheck: false });
  const asked = element("input", { type: "text", value: question, spellcheck: false });
  const marked = element("p", { className: "live-marked" });
  const apart = element("p");
  const best = element("div");
  const list = element("tbody");

  const answer = latest(async (isLast) => {
    const [query, ids] = [asked, story].map(({ value }) => tokenizer.encode(value));
    const wrong = ids.length && query.length ? tooLong(query.length + ids.length + 3, maxLen) : "Write a story and a question.";
    if (wrong) {
      for (const part of [marked, apart, best, list]) part.replaceChildren();
      return say(wrong);
    }
    const written = story.value.normalize("NFC");
    const before = [cls, ...query, sep];
    const { logits } = await model.run([...before, ...ids, sep], before.length);
    if (!isLast()) return;
    const [start, end] = [0, 1].map((k) => ids.map((_, i) => logits[before.length + i][k]));
    const [first, last] = [start, end].map(softmax);
    const words = tokenizer.split(written);
    const at = places(written, words);
    const quoted = ([i, j]) => `“${written.slice(at[i][0], at[j][1])}”`;
    const share = ([i, j]) => first[i] * last[j];
    const spans = bestSpans(start, end, longest).slice(0, 5);
    const [chosen] = spans;

    marked.replaceChildren(...pieces(written, at, ids.map((id) => id === unk), chosen, first, last));
    const alone = [first, last].map((of) => ranked(of)[0]);
    const crossed = alone[1] < alone[0] ? ` and the end before it, at “${words[alone[1]]}”` : ` and the end at “${words[alone[1]]}”`;
    apart.textContent = `Each on its own, the start would be at “${words[alone[0]]}”${crossed}.`;
    best.replaceChildren(bars("The best answers: P(start)·P(end)", spans.map((span) => [quoted(span), share(span)]), percent));
    list.replaceChildren(...words.map((word, i) => element("tr", {}, element("th", { scope: "row" }, word),
      ...[first, last].map((of) => element("td", { className: "live-number" }, percent(of[i]))))));
    say(`${unknown(tokenizer, `${asked.value} ${story.value}`)}Answer: ${quoted(chosen)}, ${percent(share(chosen))}.`);
  });

  const head = element("tr", {}, ...["word", "P(start)", "P(end)"].map((name) => element("th", { scope: "col" }, name)));
  const table = element("table", {}, element("caption", {}, "Each word as the start and as the end of the answer"), element("thead", {}, head), list);
  for (const input of [story, asked]) input.addEventListener("input", answer);
  root.append(field("Your story", story), field("Your question", asked),
    element("p", {}, "A bar above a word is P(start), a bar under it is P(end). The answer is marked:"), marked, apart, best,
    element("details", {}, element("summary", {}, "P(start) and P(end) of each word"), table));
  await answer();
}

// The text as it was written, each word between its two bars, with the answer in a mark.
function pieces(text, at, isUnknown, [from, to], first, last) {
  const bar = (share) => {
    const made = element("span", { className: "live-bar" });
    made.style.setProperty("--share", share.toFixed(3));
    return made;
  };
  const made = [];
  const mark = element("mark", { className: "live-name" });
  let done = 0;
  for (const [i, [begin, end]] of at.entries()) {
    const into = i > from && i <= to ? mark : made;
    into[into === made ? "push" : "append"](text.slice(done, begin));
    if (i === from) made.push(mark);
    const word = element("span", isUnknown[i] ? { className: "live-unknown", title: "read as <unk>" } : {}, text.slice(begin, end));
    const scored = element("span", { className: "live-scored" }, bar(first[i]), word, bar(last[i]));
    i >= from && i <= to ? mark.append(scored) : made.push(scored);
    done = end;
  }
  return [...made, text.slice(done)];
}
