// From logits to tokens, as in chapter 3.1: temperature, top-k, top-p, and a stream of random numbers with a seed.

// The browser gets time to show what there is, and to hear its reader.
export const pause = () => new Promise((done) => setTimeout(done));

export function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Float64Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

// The distribution from which a token is drawn. k and p as in top-k and top-p; the k or p of 0 and 1 leave everything.
export function distribution(logits, { temperature = 1, k = 0, p = 1 } = {}) {
  const shares = softmax(Array.from(logits, (x) => x / temperature));
  const order = ranked(shares);
  let kept = k ? Math.min(k, order.length) : order.length;
  if (p < 1) {
    let sum = 0;
    const enough = order.findIndex((i) => (sum += shares[i]) >= p) + 1; // the smallest set whose sum is at least p
    kept = Math.min(kept, enough || order.length);
  }
  const sum = order.slice(0, kept).reduce((total, i) => total + shares[i], 0);
  const rest = new Set(order.slice(kept));
  return shares.map((share, i) => (rest.has(i) ? 0 : share / sum));
}

export function ranked(shares) {
  return Array.from(shares.keys()).sort((a, b) => shares[b] - shares[a]);
}

export function draw(shares, random) {
  let left = random();
  for (const [i, share] of shares.entries()) if (share && (left -= share) < 0) return i;
  return shares.findLastIndex((share) => share > 0);
}

// Random numbers from 0 to 1 that a seed repeats (mulberry32).
export function stream(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// The most probable token, again and again, until one of the stops or until there are `room` tokens. run: the tokens so far
// → their logits; show: told of every token, which the page then shows. All tokens, and the result of the last run; nothing if it is wanted no longer.
export async function greedy(run, start, stops, room, isWanted, show) {
  const written = [...start];
  let result;
  while (written.length < room) {
    result = await run(written);
    if (!isWanted()) return undefined;
    const next = ranked(result.logits.at(-1))[0];
    if (stops.includes(next)) break;
    written.push(next);
    if (!show) continue;
    show(written);
    await pause();
  }
  return { written, result };
}

// The most probable answers by beam search, as generation/beam.py finds them without a length penalty: {ids, shares, score},
// best first, with the probability of each token and the logarithm of their product. run: the rows that are still open, each
// with the tokens after `start` → the logits of the next token of each. Nothing if it is wanted no longer.
export async function beam(run, stops, room, beams, isWanted) {
  const best = (of, n) => of.sort((a, b) => b.score - a.score).slice(0, n);
  const enough = (1 + stops.length) * beams; // of these, at least as many as there are beams do not end
  let open = [{ ids: [], shares: [], score: 0 }];
  let ended = [];
  for (let length = 1; length <= room; length++) {
    const logits = await run(open.map(({ ids }) => ids));
    if (!isWanted()) return undefined;
    const next = open.flatMap(({ ids, shares, score }, i) => {
      const of = softmax(logits[i]);
      return ranked(of).slice(0, enough).map((id) => ({ ids: [...ids, id], shares: [...shares, of[id]], score: score + Math.log(of[id]) }));
    });
    const candidates = best(next, enough);
    const ends = ({ ids }) => stops.includes(ids.at(-1));
    const whole = ({ ids, shares, score }) => ({ ids: ids.slice(0, -1), shares: shares.slice(0, -1), score });
    ended = best([...ended, ...candidates.slice(0, beams).filter(ends).map(whole)], beams);
    open = candidates.filter((candidate) => !ends(candidate)).slice(0, beams);
    if (ended.length === beams && ended.at(-1).score >= open[0].score) return ended; // no other can become more probable
  }
  return best([...ended, ...open], beams);
}

export function nll(logits, label) {
  return -Math.log(softmax(logits)[label]);
}

// What a translator writes for the source, without <bos> and <eos>: at most as many tokens as `Seq2Seq.longest` allows.
export async function translation(model, ids, isWanted) {
  const { "<bos>": bos, "<eos>": eos } = model.about.special;
  const room = Math.min(model.about.max_len, 2 * ids.length + 10) + 1;
  const found = await greedy((written) => model.run(ids, written), [bos], [eos], room, isWanted);
  return found?.written.slice(1) ?? [];
}
