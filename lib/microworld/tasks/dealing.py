"""Deals the examples of a task to its splits."""

from collections import defaultdict, deque
from collections.abc import Iterator


class Dealer:
    """Assigns examples to splits one by one; each example is used only once.

    Compositional examples go to the compositional split. Of the others, the first go to test, the next to validation, and
    all later ones to train, so that the held-out splits do not depend on the size of the training split.

    Args:
        examples: (row, whether it is compositional) pairs.
        sizes: the number of rows of test and of validation.
    """

    def __init__(self, examples: Iterator[tuple[dict, bool]], sizes: dict[str, int]) -> None:
        self.examples = examples
        self.next = deque(["test"] * sizes["test"] + ["validation"] * sizes["validation"])
        self.dealt: dict[str, deque[dict]] = defaultdict(deque)

    def take(self, split: str) -> dict:
        """The next example of the split.

        Raises:
            RuntimeError: all examples of test or validation are used up.
        """
        while not self.dealt[split]:
            row, compositional = next(self.examples)
            if split in ("test", "validation") and split not in self.next:
                raise RuntimeError(f"the {split} split of a task has too few examples")
            name = "compositional" if compositional else self.next.popleft() if self.next else "train"
            self.dealt[name].append(row)
        return self.dealt[split].popleft()


def deal(examples: Iterator[tuple[dict, bool]], sizes: dict[str, int]) -> dict[str, list[dict]]:
    """The rows of each split, with the numbers of rows in `sizes`."""
    dealer = Dealer(examples, sizes)
    return {split: [dealer.take(split) for _ in range(size)] for split, size in sizes.items()}
