// Chapters 1.2 and 4.1: a printed number is made again in the page, on a part of the held-out examples.

import { element } from "../element.js";
import { ranked, translation } from "../decoding.js";
import { button } from "./parts.js";

const percent = (right, of) => `${((100 * right) / of).toFixed(1)} %`;

// How many predictions of one example are right, and how many there are: of a sentence, or of a text with masked words.
async function score(model, { source, reference, reads, places, labels }, goes) {
  if (reads) {
    const { logits } = await model.run(reads);
    return [places.filter((place, i) => ranked(logits[place])[0] === labels[i]).length, places.length];
  }
  const [from, to] = model.tokenizers;
  return [to.decode(await translation(model, from.encode(source), goes)) === reference ? 1 : 0, 1];
}

export async function build(root, model, { printed }, say) {
  const { unit, right: python, of: total, whole, examples } = await model.json("heldout.json");
  const bar = element("progress", { max: examples.length, value: 0, aria: { label: "examples done" } });
  const count = element("p");
  const part = examples.length < whole ? "a part of the test set" : "the test set";
  const browser = element("td", { className: "live-number" });
  const counted = element("td");
  const number = (text) => element("td", { className: "live-number" }, text);
  const line = (name, cell, note) => element("tr", {}, element("th", { scope: "row" }, name), cell, note);
  const table = element("table", {}, element("caption", {}, "The share that is right"),
    line("printed above, the whole test set", number(printed), element("td")),
    line(`Python, ${part}`, number(percent(python, total)), element("td", {}, `${python} of ${total} ${unit}`)),
    line(`this browser, ${part}`, browser, counted));
  let run = 0; // the number of the run that goes on; 0: none

  const compute = async () => {
    const mine = (run = Math.random());
    const goes = () => run === mine && root.isConnected;
    again.textContent = "Cancel";
    browser.textContent = counted.textContent = "";
    say(`Computing: ${examples.length} of ${whole} ${unit === "words" ? "texts" : unit} of the test set.`);
    let [right, of] = [0, 0];
    for (const [i, example] of examples.entries()) {
      const [r, n] = await score(model, example, goes);
      await new Promise((done) => setTimeout(done)); // the page stays usable
      if (!goes()) return;
      [right, of] = [right + r, of + n];
      bar.value = i + 1;
      count.textContent = `${i + 1} of ${examples.length}: so far ${right} of ${of} ${unit} right`;
    }
    run = 0;
    again.textContent = "Compute again";
    browser.textContent = percent(right, of);
    counted.textContent = `${right} of ${of} ${unit}`;
    const same = right === python ? "Both agree" : `They differ by ${Math.abs(right - python)}`;
    say(`This browser: ${percent(right, of)}, ${right} of ${of} ${unit} right. Python: ${python} of ${total}. ${same}.`);
  };
  const start = () => compute().catch((error) => { run = 0; again.textContent = "Compute again"; say(`It stopped: ${error.message}.`); });
  const again = button("Cancel", () => {
    if (!run) return start();
    run = 0;
    again.textContent = "Compute again";
    say("Cancelled.");
  });

  root.append(element("div", { className: "live-field" }, bar, again), count, element("div", { className: "live-scroll", tabIndex: 0, aria: { role: "region", label: "results" } }, table));
  start(); // the figure is ready when the first example is under way
}
