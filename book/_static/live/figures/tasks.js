// Chapter 3.2: all four tasks. Each one has a network of its own, which is loaded when the reader chooses the task.

import { element } from "../element.js";
import { about } from "../model.js";
import { build as choosing } from "./choosing.js";
import { build as classifying } from "./classifying.js";
import { button, latest } from "./parts.js";
import { build as recompute } from "./recompute.js";

const form = (fields) => (root, model, { texts: [text, second], label }, say) => classifying(root, model, { fields, text, second, label }, say);
const TASKS = {
  "gpt-sentiment": ["Sentiment", form("Your text")],
  "gpt-entailment": ["Entailment", form("Premise, Hypothesis")],
  "gpt-similarity": ["Similarity", form("First text, Second text")],
  "gpt-multiple-choice": ["Multiple choice", choosing],
};

export async function build(root, models, settings, say) {
  const area = element("div");
  const open = latest(async (isLast, name) => {
    for (const [of, choice] of Object.entries(choices)) choice.setAttribute("aria-pressed", of === name);
    area.replaceChildren();
    const tell = (text) => isLast() && say(text); // not of a task that was left
    try {
      if (!models.loaded[name]) tell(`Loading ${((await about(name)).bytes / 1e6).toFixed(1)} MB …`);
      const model = await models.open(name);
      if (isLast()) await task(area, model, TASKS[name][1], tell);
    } catch (error) {
      console.warn(error);
      tell(`The model could not be loaded: ${error.message}. Choose the task again to try once more.`);
    }
  });
  const choices = Object.fromEntries(Object.entries(TASKS).map(([name, [title]]) => [name, button(title, () => open(name))]));
  root.append(element("div", { className: "live-buttons", aria: { role: "group", label: "Task" } }, ...Object.values(choices)), area);
  await open(Object.keys(models.loaded)[0]);
}

// The reader's texts, and how many answers of the network are right on the test set.
async function task(root, model, form, say) {
  const { accuracy, majority, examples } = model.about;
  const texts = element("div");
  const panel = element("div", { className: "live-panel" });
  let at = 0;
  const next = button("Another example from the test set", async () => (await show)(examples[(at = (at + 1) % examples.length)]));
  const [printed, baseline] = [accuracy, majority].map((share) => `${(100 * share).toFixed(1)} %`);
  const count = () => {
    const counting = element("div");
    panel.lastChild.replaceWith(counting);
    recompute(counting, model, { printed }, say).catch((error) => say(`It could not be counted: ${error.message}.`));
  };
  panel.append(element("p", {}, `On the test set, ${printed} of the answers of this network are right. The most frequent answer of the training set alone would be right in ${baseline}.`),
    button("Count them here", count));
  root.append(next, texts, panel);
  const show = form(texts, model, examples[at], say);
  await show;
}
