// The picker of chapter 7.1. The figure holds the measured rows, so nothing is loaded. Without this script it stays a table.
(() => {
  const SCARCE = [
    ["steps", "parameters (equal steps)"],
    ["compute", "training computation"],
    ["operations", "operations per training step"],
  ];
  const SCORES = { exact: "exactly right", nats: "nats per token" };
  const SIZES = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];

  const make = (tag, properties = {}, ...children) => {
    const { attributes = {}, ...rest } = properties;
    const made = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const list = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);
  const score = (value, measure) => (measure === "nats" ? value.toFixed(3) : `${(100 * value).toFixed(1)}%`);
  const count = (value) => {
    const [size, name] = SIZES.find(([size]) => value >= size) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))} ${name}`.trim();
  };

  const better = (a, b) => (a.measure === "nats" ? a.mean - b.mean : b.mean - a.mean);
  // With every seed better than the baseline.
  const works = ({ measure, low, high, baseline }) =>
    baseline === null || (measure === "nats" ? high < baseline : low > baseline);
  // The largest groups of rows whose intervals all overlap.
  const groups = (rows) => {
    const sets = rows.map((at) => rows.filter((row) => row.low <= at.low && at.low <= row.high));
    return sets.filter((set, i) => set.length > 1 && !sets.some((other, j) =>
      set.every((row) => other.includes(row)) && (other.length > set.length || j < i)));
  };

  // The families in order, those that are left out with the reasons, and the sentences that say what the numbers allow to say.
  function pick(data, task, needs, scarce) {
    const reasons = [
      ...data.impossible.filter(([, of]) => of === task).map(([family, , reason]) => [family, reason]),
      ...data.lacking.filter(([need, , of]) => needs.includes(need) && (of === null || of === task)).map(([, family, , reason]) => [family, reason]),
    ];
    const out = new Set(reasons.map(([family]) => family));
    const budget = scarce === "compute" ? "compute" : "steps";
    const rows = data.rows.filter((row) => row.task === task && row.budget === budget && !out.has(row.family)).sort(better);
    const measured = data.rows.some((row) => row.task === task && row.budget === budget);
    const left = !measured ? [] : data.families.filter((family) => !out.has(family) && !rows.some((row) => row.family === family));
    reasons.push(...left.map((family) => [family, "Not measured with this budget."]));
    // Each family once, with all that keeps it out.
    const grouped = [...new Set(reasons.map(([family]) => family))].map((family) =>
      [family, reasons.filter(([of]) => of === family).map(([, reason]) => reason).join(" ")]);
    if (!measured) return { rows, reasons: grouped, said: "This task was not measured with this budget." };
    if (!rows.length) return { rows, reasons: grouped, said: "No measured family is left." };

    const [best] = rows;
    const said = [`${best.family} has the best mean: ${score(best.mean, best.measure)} ${SCORES[best.measure]}.`];
    for (const set of groups(rows)) {
      said.push(`${list(set.map((row) => row.family))} can't be told apart with ${data.seeds} seeds, because their intervals overlap.`);
    }
    if (scarce === "operations") {
      rows.sort((a, b) => works(b) - works(a) || a.flops_per_step - b.flops_per_step);
      const [least] = rows;
      const times = (best.flops_per_step / least.flops_per_step).toFixed(1);
      said.push(least === best ? `${best.family} also needs the fewest operations per training step.`
        : `${least.family} needs the fewest operations per training step; ${best.family} needs ${times} times as many.`);
    }
    return { rows, reasons: grouped, said: said.map((text) => text[0].toUpperCase() + text.slice(1)).join(" ") };
  }

  function table(rows, title) {
    const { measure } = rows[0];
    const head = ["family", `${SCORES[measure]} (lowest–highest seed)`, "baseline", "operations per step", "operations of the training"];
    const cells = (row) => [
      `${score(row.mean, measure)} (${score(row.low, measure)}–${score(row.high, measure)})`,
      row.baseline === null ? "none" : score(row.baseline, measure),
      count(row.flops_per_step),
      count(row.flops),
    ];
    const made = make("table", {},
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {},
        make("th", { scope: "row" }, row.family + (works(row) ? "" : " (not above the baseline)")),
        ...cells(row).map((text) => make("td", {}, text))))));
    const scroll = { className: "live-scroll", tabIndex: 0, attributes: { role: "region", "aria-label": title } };
    return [make("p", { className: "picker-title" }, title), make("div", scroll, made)];
  }

  let number = 0;

  function build(figure) {
    const data = JSON.parse(figure.dataset.picker);
    const name = `picker-${++number}`; // radio buttons of one group share a name
    const choices = (type, legend, values) => make("fieldset", {}, make("legend", {}, legend),
      ...values.map(([value, text]) => make("label", {}, make("input", { type, value, name: `${name}-${legend}` }), ` ${text}`)));

    const task = make("select", {}, ...data.tasks.map(([value, text]) => make("option", { value }, text)));
    const needs = choices("checkbox", "The model must", data.needs);
    const scarce = choices("radio", "What is scarce", SCARCE);
    scarce.querySelector("input").checked = true;
    const form = make("form", { className: "picker-form" }, make("label", {}, "Task ", task), needs, scarce);
    const said = make("p", { className: "live-status", attributes: { role: "status" } });
    const result = make("div");

    const chosen = (fields) => [...fields.querySelectorAll(":checked")].map((input) => input.value);
    const update = () => {
      const [wanted] = chosen(scarce);
      const found = pick(data, task.value, chosen(needs), wanted);
      const order = wanted === "operations" ? "fewest operations first" : "best mean first";
      const budget = wanted === "compute" ? "equal training computation" : "equal parameters and steps";
      const title = `With ${budget}, ${order}:`;
      result.replaceChildren(...(found.rows.length ? table(found.rows, title) : []));
      if (found.reasons.length) {
        result.append(make("p", {}, "Left out:"), make("ul", {}, ...found.reasons.map(([family, reason]) =>
          make("li", {}, make("strong", {}, family), `: ${reason}`))));
      }
      said.textContent = found.said; // last, so that a screen reader speaks when the table is there
    };
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    figure.firstElementChild.replaceWith(form, said, result);
    update();
  }

  const begin = () => document.querySelectorAll("figure.picker").forEach(build);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
