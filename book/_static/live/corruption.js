// Corrupted texts, as objectives/corruption makes them: T5's sentinels in place of spans, and BART's masks.

// The numbers of noise tokens and of noise spans in a text.
export function countNoise(length, rate, meanLength) {
  const nNoise = Math.min(Math.max(round(length * rate), 1), length - 1);
  return [nNoise, Math.min(Math.max(round(nNoise / meanLength), 1), length - nNoise)];
}

// Which tokens of a text of two or more are noise: parts that stay and parts that are noise alternate. random: from 0 to 1.
export function drawNoise(length, rate, meanLength, random) {
  const [nNoise, nSpans] = countNoise(length, rate, meanLength);
  const [stays, lost] = [length - nNoise, nNoise].map((n) => partition(n, nSpans, random));
  return stays.flatMap((n, i) => [...Array(n).fill(false), ...Array(lost[i]).fill(true)]);
}

// Sizes of at least one: each way to divide `total` is equally likely.
function partition(total, parts, random) {
  const keys = Array.from({ length: total - 1 }, (_, i) => [random(), i + 1]).sort(([a], [b]) => a - b);
  const bounds = [0, ...keys.slice(0, parts - 1).map(([, at]) => at).sort((a, b) => a - b), total];
  return bounds.slice(1).map((end, i) => end - bounds[i]);
}

// The tokens with one mark in place of each run of noise. mark: the number of a run → what stands for it.
export function replaceRuns(tokens, noise, mark) {
  let n = 0;
  return tokens.flatMap((token, i) => (!noise[i] ? [token] : noise[i - 1] ? [] : [mark(n++)]));
}

// The tokens after each sentinel of a target.
export function spansOf(target, sentinels) {
  const found = new Map();
  let span = [];
  for (const id of target) {
    if (!sentinels.includes(id)) span.push(id);
    else {
      span = [];
      if (!found.has(id)) found.set(id, span);
    }
  }
  return found;
}

// The source with the spans of the target in place of its sentinels.
export function restore(source, target, sentinels) {
  const found = spansOf(target, sentinels);
  return source.flatMap((id) => (sentinels.includes(id) ? found.get(id) ?? [] : [id]));
}

// As in Python: a half goes to the even neighbour.
function round(x) {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}
