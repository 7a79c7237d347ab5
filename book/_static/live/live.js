// Live figures: a chapter's trained model works in the page. Nothing is loaded before a reader asks for it.

import { element } from "./element.js";

const KINDS = {
  sampling: "./figures/sampling.js",
  translating: "./figures/translating.js",
  filling: "./figures/filling.js",
  "mask-bench": "./figures/mask_bench.js",
  masks: "./figures/masks.js",
  classifying: "./figures/classifying.js",
  tagging: "./figures/tagging.js",
  heads: "./figures/heads.js",
  timelapse: "./figures/timelapse.js",
  prompting: "./figures/prompting.js",
  recompute: "./figures/recompute.js",
  families: "./figures/families.js",
  restoring: "./figures/restoring.js",
  answering: "./figures/answering.js",
  tasks: "./figures/tasks.js",
};
const ONE_AT_A_TIME = "tasks"; // the kind whose models are loaded when they are chosen

// What every model needs, and what the runtime fetches by itself.
const MODULES = ["model.js", "tokenizer.js", "decoding.js", "figures/parts.js", "ort/ort.wasm.min.mjs", "ort/ort-wasm-simd-threaded.mjs"];
const RUNTIME = "ort/ort-wasm-simd-threaded.wasm";
let isAhead = false;

// Asks for all of these files at once. Each would otherwise wait for the file that names it.
function fetchAhead() {
  if (isAhead) return;
  isAhead = true;
  const link = (path, how) => element("link", { href: new URL(path, import.meta.url).href, ...how });
  document.head.append(...MODULES.map((path) => link(path, { rel: "modulepreload" })),
    link(RUNTIME, { rel: "preload", as: "fetch", crossOrigin: "anonymous" }));
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// A place for one figure: says what it costs, starts it, reports what goes wrong, and gives the memory back.
class Figure {
  constructor(root) {
    this.root = root;
    this.body = root.querySelector(".live-body");
    this.still = this.body.firstElementChild;
    this.settings = JSON.parse(root.dataset.settings);
    this.offer();
  }

  offer(message = "") {
    const start = element("button", { type: "button", className: "live-start" }, this.settings.start ?? "Start the model");
    const said = element("p", { className: "live-status", aria: { role: "status" } }, message);
    this.body.replaceChildren(this.still, start, said);
    this.still.textContent = "The model that this chapter trains can work here, in your browser. Nothing leaves your device.";
    start.addEventListener("mousedown", fetchAhead); // a tenth of a second before the click
    start.addEventListener("click", () => this.start(start, said));
  }

  async start(start, said) {
    start.disabled = true;
    let model;
    try {
      fetchAhead();
      const { figure: kind, model: named } = this.root.dataset;
      const names = named.split(" ");
      const figure = import(KINDS[kind]);
      const { Choice, Model, Models, about } = await import("./model.js");
      const first = kind === ONE_AT_A_TIME ? names.slice(0, 1) : names;
      const loaded = kind === ONE_AT_A_TIME ? Choice.load(first) : names.length > 1 ? Models.load(names) : Model.load(named);
      const tell = (all) => {
        const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
        said.textContent = `Loading ${megabytes(bytes)} and, the first time, a runtime of 14 MB …`;
      };
      const [ready, { build }] = await Promise.all([loaded.then((it) => (model = it)), figure, Promise.all(first.map(about)).then(tell)]);
      const status = element("p", { className: "live-status", aria: { role: "status" } });
      const content = element("div", { className: "live-content" });
      this.body.replaceChildren(content, status);
      const built = build(content, ready, this.settings, (text) => (status.textContent = text));
      const focus = () => { // unless the reader is already elsewhere
        if (document.activeElement === document.body) content.querySelector("textarea, input, button")?.focus({ preventScroll: true });
      };
      focus();
      await Promise.all([built, ready.fetched]);
      focus();
      this.root.dataset.ready = "";
      this.watch(ready);
    } catch (error) {
      console.warn(error);
      this.offer(`The model could not be loaded: ${error.message}. The rest of the page does not need it.`);
      model?.release().catch(console.warn);
    }
  }

  // A phone has little memory: a model whose figure is far from the screen is released.
  watch(model) {
    const seen = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) return;
      seen.disconnect();
      delete this.root.dataset.ready;
      this.offer("The model was released when the figure left the screen. Start it again at any time.");
      model.release();
    }, { rootMargin: "3000px" });
    seen.observe(this.root);
  }
}

// A figure without a model costs a few kilobytes and works at once.
async function draw(root) {
  const { build } = await import(KINDS[root.dataset.figure]);
  const status = element("p", { className: "live-status", aria: { role: "status" } });
  const content = element("div", { className: "live-content" });
  await build(content, JSON.parse(root.dataset.settings), (text) => (status.textContent = text));
  root.querySelector(".live-body").replaceChildren(content, status);
  root.dataset.ready = "";
}

function begin() {
  for (const root of document.querySelectorAll("figure.live")) root.dataset.model ? new Figure(root) : draw(root).catch(console.warn);
  if (document.querySelector(".live-expect")) import("./expect.js").catch(console.warn);
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
