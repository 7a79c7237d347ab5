// What do you expect? A choice before a result, kept in this browser alone, and shown again beside the outcome.

import { element } from "./element.js";

const key = (name) => `seqbook.expected.${name}`;
const chosen = {}; // for browsers that keep nothing

function recall(name) {
  try {
    return localStorage.getItem(key(name)) ?? chosen[name];
  } catch {
    return chosen[name];
  }
}

function keep(name, answer) {
  chosen[name] = answer;
  try {
    localStorage.setItem(key(name), answer);
  } catch {
    // private windows may forbid it
  }
}

function ask(root) {
  const { name } = root.dataset;
  const [question, list] = root.children;
  const status = element("p", { className: "live-status", aria: { role: "status" } });
  const answers = [...list.children].map(({ textContent: answer }) => {
    const input = element("input", { type: "radio", name: `expect-${name}`, value: answer, checked: answer === recall(name) });
    input.addEventListener("change", () => {
      keep(name, answer);
      status.textContent = "Your answer is kept in this browser alone. You will see it again beside the result.";
      show();
    });
    return element("label", {}, input, " ", answer);
  });
  root.replaceChildren(element("fieldset", {}, element("legend", {}, question.textContent), ...answers), status);
}

// Beside each outcome, what the reader expected.
function show() {
  for (const root of document.querySelectorAll(".live-expected")) {
    const answer = recall(root.dataset.name);
    root.querySelector(".live-yours").textContent = answer ? `You expected: ${answer} ` : "";
  }
}

for (const root of document.querySelectorAll(".live-expect")) ask(root);
show();
