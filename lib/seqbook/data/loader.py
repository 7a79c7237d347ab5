"""The choice of the examples of each batch: a pure function of the seed and the step that keeps the padding low."""

import random
from collections.abc import Callable, Sequence


class Windows(Sequence):
    """Every window of `length` + 1 tokens of one long text, as an example (ids,) in which `length` tokens are predicted.

    Raises:
        ValueError: a text shorter than one window.
    """

    def __init__(self, ids: list[int], length: int):
        if len(ids) <= length:
            raise ValueError(f"the text has {len(ids)} tokens: a window of {length} and the token after it need more")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, start: int) -> tuple[list[int]]:
        return (self.ids[start : start + self.length + 1],)

    def side_by_side(self) -> list[tuple[list[int]]]:
        """Consecutive windows without overlap, so that each token but the first is predicted once."""
        return [self[start] for start in range(0, len(self.ids) - 1, self.length)]


def batches(examples: Sequence, lengths: Callable[[tuple], tuple[int, ...]], batch_size: int, seed: int = 0):
    """The batches of a training run: random windows of a long text, or examples of similar length."""
    if isinstance(examples, Windows):
        return RandomWindows(len(examples), batch_size, seed)
    return LengthBuckets([lengths(example) for example in examples], batch_size, seed)


class RandomWindows:
    """A sampler that draws each batch at random, with replacement, from `n` examples of equal length."""

    def __init__(self, n: int, batch_size: int, seed: int = 0):
        self.n, self.batch_size, self.seed = n, batch_size, seed

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of one step (counted from 0)."""
        rng = random.Random(f"{self.seed} {step}")
        return [rng.randrange(self.n) for _ in range(self.batch_size)]


class LengthBuckets:
    """A sampler whose batches hold examples of similar length, in a new order in each epoch.

    The batch of a step depends on (lengths, batch_size, seed, step) alone, so an interrupted run continues with the batch
    that it would have had.

    lengths: for each example its lengths in tokens (target first, then source).

    Raises:
        ValueError: no example, or a batch size below one.
    """

    def __init__(self, lengths: Sequence[tuple[int, ...]], batch_size: int, seed: int = 0):
        if not lengths:
            raise ValueError("there is no example to make batches of: the split is empty")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._epoch, self._batches = -1, []

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of one step (counted from 0, through all epochs)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._plan(epoch)
        return self._batches[position]

    def _plan(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self.seed} {epoch}")
        indices = list(range(len(self.lengths)))
        rng.shuffle(indices)  # so that examples of equal length are grouped differently in each epoch
        indices.sort(key=self.lengths.__getitem__)
        n, k = len(indices), self.steps_per_epoch
        batches = [indices[n * i // k : n * (i + 1) // k] for i in range(k)]  # all of about the same size
        rng.shuffle(batches)
        return batches


def in_length_order(lengths: Sequence, batch_size: int) -> list[list[int]]:
    """All indices in batches, from short to long, so that each batch needs little padding."""
    ordered = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
