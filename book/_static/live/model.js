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
    const model = await Model.open(name);
    await model.start();
    return model;
  }

  // All but the session, which keeps the page busy while it is made: `start` or the first input makes it. The graph is
  // fetched after what is `before` it.
  static async open(name, before) {
    const model = new Model();
    library ??= runtime();
    library.catch(() => (library = undefined)); // the next reader's click tries again
    const bytes = (file) => get(`models/${name}/${file}`).then((answer) => answer.arrayBuffer());
    model.fetched = before ? before.then(() => bytes("model.onnx")) : bytes("model.onnx");
    model.fetched.catch(() => {}); // told to those who wait for it
    model.about = await about(name);
    const steps = model.about.steps ?? []; // of a time-lapse: one graph, and a file of weights for each step
    const [ort, weights, ...files] = await Promise.all([
      library,
      Promise.all(steps.map(({ file }) => bytes(file))),
      ...model.about.tokenizers.map((key) => get(`models/${name}/${key}.json`).then((answer) => answer.json())),
    ]);
    model.ort = ort;
    model.tokenizers = files.map((json) => new Tokenizer(json));
    model.queue = Promise.resolve(); // a session runs one input at a time
    model.create = async () => {
      const session = await ort.InferenceSession.create(await model.fetched, { executionProviders: ["wasm"] });
      model.fetched = Promise.resolve(); // the session has a copy
      return session;
    };
    if (!steps.length) return model;
    // One after the other: the graph knows the weights of all steps by the name of the last file.
    const graph = await model.fetched;
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

  // The session; a time-lapse makes those of its steps when they are used.
  start() {
    return this.steps ? undefined : (this.session ??= this.create());
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
    const result = this.queue.then(() => this.start()).then((made) => made.run(feeds)).then((outputs) => {
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

// The models of a figure that has several, in the order in which they answer: the first one is ready, and the files of the
// others are still on their way, one after the other. They are released together.
export class Models extends Array {
  static async load(names) {
    let before;
    const opened = names.map((name) => {
      const model = Model.open(name, before);
      before = model.then(({ fetched }) => fetched);
      before.catch(() => {});
      return model;
    });
    const models = Models.from(await Promise.all(opened));
    await models[0].start();
    return models;
  }

  get fetched() {
    return Promise.all(this.map(({ fetched }) => fetched));
  }

  async release() {
    for (const model of this) await model.release();
  }
}

// The models of a figure that works with one of them at a time: each is loaded when the reader asks for it.
export class Choice {
  static async load(names) {
    const choice = new Choice();
    await choice.open(names[0]);
    return choice;
  }

  loaded = {};

  open(name) {
    const forget = (error) => {
      delete this.loaded[name];
      throw error;
    };
    return (this.loaded[name] ??= Model.load(name).catch(forget));
  }

  async release() {
    for (const model of Object.values(this.loaded)) await (await model).release();
  }
}
