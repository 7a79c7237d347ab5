// A tokenizer of the course: reads the JSON file that Python's Tokenizer wrote, and gives the same ids.

// What the library's "Whitespace" does: runs of letters and digits, and runs of all else that is no space.
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d";
const WORDS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu");

export class Tokenizer {
  constructor(json) {
    if (json.model.type !== "WordLevel") throw new Error(`a ${json.model.type} vocabulary has no live figure yet`);
    this.ids = new Map(Object.entries(json.model.vocab));
    this.special = new Set();
    for (const { content, id, special } of json.added_tokens) {
      this.ids.set(content, id);
      if (special) this.special.add(id);
    }
    this.typed = new Map([...this.ids].filter(([, id]) => !this.special.has(id))); // no text can produce the others
    this.names = [];
    for (const [token, id] of this.ids) this.names[id] = token;
    this.unk = this.ids.get(json.model.unk_token);
    this.splits = (json.pre_tokenizer.pretokenizers ?? [json.pre_tokenizer]).map(splitter);
    this.joins = json.decoder.decoders ?? [json.decoder];
  }

  get size() {
    return this.names.length;
  }

  // The words or characters of a text, as they are looked up in the vocabulary.
  split(text) {
    return this.splits.reduce((parts, split) => parts.flatMap(split), text ? [text.normalize("NFC")] : []);
  }

  encode(text) {
    return this.split(text).map((part) => this.typed.get(part) ?? this.unk);
  }

  unknown(text) {
    return [...new Set(this.split(text).filter((part) => !this.typed.has(part)))];
  }

  decode(ids) {
    let tokens = ids.filter((id) => !this.special.has(id)).map((id) => this.names[id]);
    for (const step of this.joins) tokens = joiner(step)(tokens);
    return tokens.join("");
  }
}

function splitter({ type, pattern }) {
  if (type === "Whitespace") return (part) => part.match(WORDS) ?? [];
  if (type !== "Split") throw new Error(`unknown pre-tokenizer ${type}`);
  const each = new RegExp(`(${pattern.Regex})`, "gu"); // "isolated": what matches and what stands between
  return (part) => part.split(each).filter(Boolean);
}

// The library's clean-up of the spaces before each token, in its order.
const CLEANUP = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function joiner(step) {
  if (step.type === "Fuse") return (tokens) => [tokens.join("")];
  if (step.type === "Replace") {
    const pattern = new RegExp(step.pattern.Regex, "gu");
    return (tokens) => tokens.map((token) => token.replace(pattern, step.content));
  }
  if (step.type !== "WordPiece") throw new Error(`unknown decoder ${step.type}`);
  return (tokens) =>
    tokens.map((token, i) => {
      if (i) token = token.startsWith(step.prefix) ? token.slice(step.prefix.length) : ` ${token}`;
      if (step.cleanup) for (const [from, to] of CLEANUP) token = token.replaceAll(from, to);
      return token;
    });
}
