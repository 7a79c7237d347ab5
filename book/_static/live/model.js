// A model of the course: loaded once, on demand, from this site alone, and given back when its figure has left the page.

import { Tokenizer } from "./tokenizer.js";

const here = new URL("./", import.meta.url);
let library;

async function get(path) {
  const answer = await fetch(new URL(path, here));
  if (!answer.ok) throw new Error(`${path} can't be had (${answer.status})`);
  return answer;
}

// The runtime: WebAssembly with one thread. More would need headers that simple hosts don't send.
async function runtime() {
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = new URL("ort/", here).href;
  return ort;
}

const told = {};

export function about(name) {
  const forget = (error) => {
    delete told[name];
    throw error;
  };
  return (told[name] ??= get(`models/${name}/about.json`).then((answer) => answer.json()).catch(forget));
}

export class Model {
  static async load(name) {
    const model = new Model();
    library ??= runtime();
    library.catch(() => (library = undefined)); // the next reader's click tries again
    const bytes = (file) => get(`models/${name}/${file}`).then((answer) => answer.arrayBuffer());
    const wanted = bytes("model.onnx");
    wanted.catch(() => {}); // told below
    model.about = await about(name);
    const steps = model.about.steps ?? []; // of a time-lapse: one graph, and a file of weights for each step
    const [ort, graph, weights, ...files] = await Promise.all([
      library,
      wanted,
      Promise.all(steps.map(({ file }) => bytes(file))),
      ...model.about.tokenizers.map((key) => get(`models/${name}/${key}.json`).then((answer) => answer.json())),
    ]);
    model.ort = ort;
    model.tokenizers = files.map((json) => new Tokenizer(json));
    model.queue = Promise.resolve(); // a session runs one input at a time
    if (!steps.length) {
      model.session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
      return model;
    }
    // The session of a step is made when it is first used. One after the other: the graph knows the weights of all of them
    // by the name of the last file.
    let last = Promise.resolve();
    const create = (data) => {
      const externalData = [{ path: steps.at(-1).file, data: new Uint8Array(data) }];
      const make = () => ort.InferenceSession.create(graph.slice(), { executionProviders: ["wasm"], externalData });
      const session = last.then(make);
      last = session.catch(() => {});
      return session;
    };
    model.steps = weights.map((data) =>
      Object.assign(Object.create(Model.prototype), model, { create: () => create(data), queue: Promise.resolve() }));
    return model;
  }

  // Arrays of ids, in the order of the graph's inputs, for one row, or for several of the same length → {logits: (length)
  // rows of scores, of one row after the other; looks: the other outputs, each with its data and dims}.
  run(...inputs) {
    if (this.steps) return this.steps.at(-1).run(...inputs); // a time-lapse: the model as it is in the end
    const feeds = {};
    for (const [i, name] of this.about.inputs.entries()) {
      const rows = Array.isArray(inputs[i]?.[0]) ? inputs[i] : [inputs[i]];
      const ids = BigInt64Array.from(rows.flat(), BigInt);
      feeds[name] = new this.ort.Tensor("int64", ids, Array.isArray(inputs[i]) ? [rows.length, ids.length / rows.length] : [1]);
    }
    const session = () => (this.session ??= this.create());
    const result = this.queue.then(session).then((made) => made.run(feeds)).then((outputs) => {
      const { data, dims } = outputs.logits;
      const width = dims.at(-1);
      const logits = Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width));
      return { logits, looks: this.about.looks.map((name) => outputs[name]) };
    });
    this.queue = result.catch(() => {});
    return result;
  }

  // Another file of this model, which only one figure needs.
  async json(file) {
    return (await get(`models/${this.about.name}/${file}`)).json();
  }

  async release() {
    for (const step of this.steps ?? [this]) {
      await step.queue;
      await (await step.session)?.release();
    }
  }
}

// The models of a figure that has several: one is loaded after the other, and they are released together.
export class Models extends Array {
  static async load(names) {
    const models = new Models();
    try {
      for (const name of names) models.push(await Model.load(name));
    } catch (error) {
      await models.release();
      throw error;
    }
    return models;
  }

  async release() {
    for (const model of this) await model.release();
  }
}
