// Chapter 4.2: the names in a text of the reader's own, marked with the words for their kinds.

import { element } from "../element.js";
import { ranked } from "../decoding.js";
import { field, latest, places, tooLong, unknown } from "./parts.js";

const KINDS = { PER: "person", LOC: "place", ORG: "organisation" };

// [kind, first word, word after the last] of each name. An I that continues nothing belongs to no name, as in the chapter.
export function entities(tags) {
  const found = [];
  let kind = "";
  let first = 0;
  for (const [i, tag] of [...tags, "O"].entries()) {
    if (kind && tag !== `I-${kind}`) {
      found.push([kind, first, i]);
      kind = "";
    }
    if (tag.startsWith("B-")) [kind, first] = [tag.slice(2), i];
  }
  return found;
}

export async function build(root, model, { text = "" }, say) {
  const [tokenizer] = model.tokenizers;
  const { "[CLS]": cls, "[SEP]": sep, "<unk>": unk } = model.about.special;
  const { labels } = model.about;
  const input = element("textarea", { rows: 3, value: text, spellcheck: false });
  const marked = element("p", { className: "live-marked" });
  const list = element("tbody");

  const tag = latest(async (isLast) => {
    const ids = tokenizer.encode(input.value);
    const wrong = ids.length ? tooLong(ids.length + 2, model.about.max_len) : "Write a sentence.";
    if (wrong) {
      marked.replaceChildren();
      list.replaceChildren();
      return say(wrong);
    }
    const written = input.value.normalize("NFC");
    const { logits, looks: [{ data: shares }] } = await model.run([cls, ...ids, sep]);
    if (!isLast()) return;
    const best = ids.map((_, i) => ranked(logits[i + 1])[0]);
    const words = tokenizer.split(written);
    const names = entities(best.map((n) => labels[n]));
    marked.replaceChildren(...pieces(written, places(written, words), ids.map((id) => id === unk), names));
    list.replaceChildren(...words.map((word, i) => {
      const share = shares[(i + 1) * labels.length + best[i]];
      return element("tr", {}, element("th", { scope: "row" }, word), element("td", {}, labels[best[i]]),
        element("td", { className: "live-number" }, `${(100 * share).toFixed(1)} %`));
    }));
    const found = names.map(([kind, from, to]) => `${words.slice(from, to).join(" ")} (${KINDS[kind] ?? kind})`);
    say(`${unknown(tokenizer, written)}${found.length ? `Names: ${found.join(", ")}.` : "No names."}`);
  });

  const head = element("tr", {}, ...["word", "tag", "probability"].map((name) => element("th", { scope: "col" }, name)));
  const table = element("table", {}, element("caption", {}, "The most probable tag of each word"), element("thead", {}, head), list);
  input.addEventListener("input", tag);
  root.append(field("Your text", input), marked, element("details", {}, element("summary", {}, "The tag of each word"), table));
  await tag();
}

// The text as it was written, with its names in marks that say their kinds, and a line under the words that are unknown.
function pieces(text, at, isUnknown, names) {
  const made = [];
  let done = 0;
  const until = (end, into) => {
    for (const [i, [begin, after]] of at.entries()) {
      if (!isUnknown[i] || begin < done || after > end) continue;
      into.push(text.slice(done, begin), element("span", { className: "live-unknown", title: "read as <unk>" }, text.slice(begin, after)));
      done = after;
    }
    into.push(text.slice(done, end));
    done = end;
  };
  for (const [kind, from, to] of names) {
    until(at[from][0], made);
    const name = [];
    until(at[to - 1][1], name);
    made.push(element("mark", { className: `live-name ${kind}` }, ...name, element("span", { className: "live-kind" }, ` ${KINDS[kind] ?? kind}`)));
  }
  until(text.length, made);
  return made;
}
