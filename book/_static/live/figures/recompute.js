// A printed number is made again in the page, on the held-out examples or on a part of them.

import { element } from "../element.js";
import { nll, pause, ranked, translation } from "../decoding.js";
import { button } from "./parts.js";

const REST = 50; // milliseconds after which the page gets time for its reader

// What one example adds to the sum, and to the number by which the sum is divided: a sentence to translate, or what the
// network reads, with the labels of some places.
async function score(model, measure, { source, reference, inputs, places, labels }, goes) {
  if (reference !== undefined) {
    const [from, to] = model.tokenizers;
    return [Number(to.decode(await translation(model, from.encode(source), goes)) === reference), 1];
  }
  const { logits } = await model.run(...inputs);
  if (measure === "loss") return [places.reduce((sum, place, i) => sum + nll(logits[place], labels[i]), 0), places.length];
  const right = places.filter((place, i) => ranked(logits[place])[0] === labels[i]).length;
  return measure === "exact" ? [Number(right === places.length), 1] : [right, places.length];
}

export async function build(root, model, { printed }, say) {
  const { measure, unit, texts, score: python, of: total, whole, examples } = await model.json("heldout.json");
  const n = examples.length;
  const isLoss = measure === "loss";
  const shown = (sum, of) => (isLoss ? (sum / of).toFixed(4) : `${((100 * sum) / of).toFixed(1)} %`);
  const counted = (sum, of) => (isLoss ? `${of} ${unit}` : `${sum} of ${of} ${unit}`);
  const told = (sum, of) => (isLoss ? `${shown(sum, of)} nats per token, ${of} ${unit}` : `${shown(sum, of)}, ${counted(sum, of)} right`);
  const bar = element("progress", { max: n, value: 0, aria: { label: "examples done" } });
  const count = element("p");
  const line = (name, number = "", note = "") => {
    const cells = [element("td", { className: "live-number" }, number), element("td", {}, note)];
    return { cells, row: element("tr", {}, element("th", { scope: "row" }, name), ...cells) };
  };
  const part = (count) => (n < whole ? `, ${count} ${texts}` : "");
  const browser = line(`this browser${part(n)}`);
  const table = element("table", {}, element("caption", {}, isLoss ? "The mean loss, in nats per token" : "The share that is right"),
    line(`printed above${part(whole)}`, printed).row, line(`Python${part(n)}`, shown(python, total), counted(python, total)).row, browser.row);
  let run = 0; // the number of the run that goes on; 0: none

  const compute = async () => {
    const mine = (run = Math.random());
    const goes = () => run === mine && root.isConnected;
    again.textContent = "Cancel";
    for (const cell of browser.cells) cell.textContent = "";
    say(`Computing: ${n < whole ? `${n} of ` : ""}${whole} ${texts} of the test set.`);
    let [sum, all, rested] = [0, 0, 0];
    for (const [i, example] of examples.entries()) {
      const [more, labels] = await score(model, measure, example, goes);
      if (!goes()) return;
      [sum, all] = [sum + more, all + labels];
      if (i + 1 < n && performance.now() - rested < REST) continue;
      bar.value = i + 1;
      count.textContent = `${i + 1} of ${n}: so far ${told(sum, all)}`;
      await pause();
      if (!goes()) return;
      rested = performance.now();
    }
    run = 0;
    again.textContent = "Compute again";
    [shown, counted].forEach((text, i) => (browser.cells[i].textContent = text(sum, all)));
    const difference = isLoss ? Math.abs(sum / all - python / total) : Math.abs(sum - python);
    const same = difference < (isLoss ? 1e-4 : 1) ? "Both agree" : `They differ by ${isLoss ? difference.toFixed(4) : difference}`;
    say(`This browser: ${told(sum, all)}. Python: ${isLoss ? shown(python, total) : `${python} of ${total}`}. ${same}.`);
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
