"""How good a model is: nats per token (teacher-forced), BLEU, exact match, alignment error rate."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from datasets import Dataset, DatasetDict
from sacrebleu.metrics import BLEU
from torch import nn

from seqbook.data.loader import LengthBuckets, Windows
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import Objective


class Bleu(NamedTuple):
    """Corpus BLEU (0 to 100) and sacrebleu's signature, without which the number can't be compared."""

    score: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Bleu:
    """Corpus BLEU {cite}`papineni2002bleu` by sacrebleu {cite}`post2018call`; Chinese ("zh") by its own tokenisation.

    Raises:
        ValueError: not as many hypotheses as references, or none.
    """
    _check_pairs(hypotheses, references)
    metric = BLEU(tokenize="zh" if language == "zh" else "13a")
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(score.score, str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share of hypotheses that are their reference, letter by letter.

    Raises:
        ValueError: not as many hypotheses as references, or none.
    """
    return accuracy(hypotheses, references)


def alignment_error_rate(found: Sequence[set], true: Sequence[set]) -> float:
    """1 − 2·|found ∩ true| / (|found| + |true|), over links (i, j) of all pairs {cite}`och2003systematic`.

    The generator's links are all sure ones, for which the paper's rate takes this form. 0 is best.

    Raises:
        ValueError: not as many found as true, or none, or no link in any.
    """
    _check_pairs(found, true)
    if not any(found) and not any(true):
        raise ValueError("there is no link at all, neither found nor true: the rate is undefined")
    common = sum(len(f & t) for f, t in zip(found, true, strict=True))
    return 1 - 2 * common / sum(len(f) + len(t) for f, t in zip(found, true, strict=True))


def nats_per_token(model: nn.Module, objective: Objective, examples: Sequence, batch_size: int = 64) -> float:
    """−log P(token | all before it), teacher-forced, dropout off, averaged over the tokens that count.

    Of classes it is −log P(class), averaged over the examples. Label smoothing and auxiliary losses play no part here:
    models trained with them and without compare. A long text is read window after window, each of which knows nothing of
    those before it.

    Raises:
        ValueError: no examples.
    """
    if isinstance(examples, Windows):
        examples = examples.side_by_side()
    nats, n_labels = 0.0, 0
    for _, batch, outputs in _in_batches(model, objective, examples, batch_size):
        nats += objective.nats(outputs, batch.labels).item()
        n_labels += batch.n_labels
    return nats / n_labels


def classes(model: nn.Module, objective: Objective, examples: Sequence, batch_size: int = 64) -> list[int]:
    """The number of the likeliest class of each example, from a model whose outputs have `task`.

    Raises:
        ValueError: no examples.
    """
    found = [0] * len(examples)
    for chosen, _, outputs in _in_batches(model, objective, examples, batch_size):
        for i, label in zip(chosen, outputs.task.argmax(-1).tolist(), strict=True):
            found[i] = label
    return found


@torch.no_grad()
def _in_batches(model: nn.Module, objective: Objective, examples: Sequence, batch_size: int) -> Iterator[tuple]:
    """Indices of the examples, batch and outputs, batch by batch; dropout off."""
    device = next(model.parameters()).device
    batches = LengthBuckets([objective.lengths(example) for example in examples], batch_size)
    with evaluating(model):
        for step in range(batches.steps_per_epoch):
            chosen = batches.batch(step)
            batch = objective.collate([examples[i] for i in chosen]).to(device)
            yield chosen, batch, model(*batch.inputs)


def accuracy(found: Sequence, true: Sequence) -> float:
    """The share of labels that are right.

    Raises:
        ValueError: not as many found as true, or none.
    """
    _check_pairs(found, true)
    return sum(f == t for f, t in zip(found, true, strict=True)) / len(true)


def on_unseen(splits: DatasetDict, score: Callable[[Dataset], dict[str, Any]]) -> dict[str, Any]:
    """What `score` says of each split that no training saw: of test by its own names, of others with the split's before.

    A corpus without such a split, as Tiny Shakespeare, is scored on its validation split.
    """
    result: dict[str, Any] = {}
    unseen = sorted(set(splits) - {"train", "validation"}, key=lambda split: split != "test") or ["validation"]
    for split in unseen:
        scores = score(splits[split])
        result |= scores if split == unseen[0] else {f"{split}_{key}": value for key, value in scores.items()}
    return result


def mean_by_length(
    lengths: Sequence[int], values: Sequence[float], edges: Sequence[int]
) -> tuple[list[float], list[float]]:
    """The mean length and the mean value in each bin edges[k] ≤ length < edges[k + 1].

    Raises:
        ValueError: a bin that no length falls into.
    """
    centres, means = [], []
    for low, high in pairwise(edges):
        inside = [i for i, length in enumerate(lengths) if low <= length < high]
        if not inside:
            raise ValueError(f"no length is in {low} to {high - 1}: choose other edges")
        centres.append(sum(lengths[i] for i in inside) / len(inside))
        means.append(sum(values[i] for i in inside) / len(inside))
    return centres, means


def _check_pairs(found: Sequence, true: Sequence) -> None:
    if len(found) != len(true) or not len(true):
        raise ValueError(
            f"there are {len(found)} hypotheses for {len(true)} references: give one for each, at least one"
        )
