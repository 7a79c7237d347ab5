"""Metrics: mean negative log-likelihood (teacher-forced), accuracy, BLEU, exact match, F1 of entities and of answers,
alignment error rate."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from datasets import Dataset, DatasetDict
from sacrebleu.metrics import BLEU
from torch import nn

from seqbook.data.loader import LengthBuckets, Windows
from seqbook.nn.mode import evaluating


class Bleu(NamedTuple):
    """Corpus BLEU (0 to 100) and sacrebleu's signature, without which scores cannot be compared."""

    score: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[str], language: str, *, lowercase: bool = False) -> Bleu:
    """Corpus BLEU {cite}`papineni2002bleu` by sacrebleu {cite}`post2018call`; Chinese ("zh") with sacrebleu's own tokenisation.

    Raises:
        ValueError: not as many hypotheses as references, or none.
    """
    _check_pairs(hypotheses, references)
    metric = BLEU(tokenize="zh" if language == "zh" else "13a", lowercase=lowercase)
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(score.score, str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share of hypotheses that equal their reference, character by character.

    Raises:
        ValueError: not as many hypotheses as references, or none.
    """
    return accuracy(hypotheses, references)


def entity_f1(found: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> float:
    """2PR / (P + R) over the entities of all sentences, by seqeval {cite}`nakayama2018seqeval`; from tags such as B-PER.

    An entity is right if its kind, its first and its last word are right. The scoring is strict: an entity begins with B,
    and an I that follows no word of the same entity belongs to none. Without entities it is 0.

    Raises:
        ValueError: not as many sentences found as true, or none; a sentence with more tags, or fewer, than the true one.
    """
    from seqeval.metrics import f1_score  # imported here, because it imports scikit-learn, which takes a second
    from seqeval.scheme import IOB2

    _check_pairs(found, true)
    for i, (f, t) in enumerate(zip(found, true, strict=True)):
        if len(f) != len(t):
            raise ValueError(f"sentence {i} has {len(f)} tags for {len(t)} words: give one for each")
    sentences = [[list(tags) for tags in side] for side in (true, found)]
    return float(f1_score(*sentences, mode="strict", scheme=IOB2, zero_division=0))


def word_f1(found: Sequence[str], true: Sequence[str]) -> float:
    """The mean over all answers of 2·|common words| / (|words found| + |true words|) {cite}`rajpurkar2016squad`.

    Upper and lower case are the same. Unlike in the paper, articles count as words.

    Raises:
        ValueError: not as many answers found as true, or none; a true answer without words.
    """
    _check_pairs(found, true)
    total = 0.0
    for f, t in zip(found, true, strict=True):
        if not t.split():
            raise ValueError(f"the true answer {t!r} has no words: leave it out")
        words = [Counter(answer.casefold().split()) for answer in (f, t)]
        total += 2 * (words[0] & words[1]).total() / (words[0].total() + words[1].total())
    return total / len(true)


def alignment_error_rate(found: Sequence[set], true: Sequence[set]) -> float:
    """1 − 2·|found ∩ true| / (|found| + |true|), over the links (i, j) of all pairs {cite}`och2003systematic`.

    This is the paper's formula for the case that all true links are certain, as they are here. 0 is best.

    Raises:
        ValueError: not as many found as true, or none, or no link in any.
    """
    _check_pairs(found, true)
    if not any(found) and not any(true):
        raise ValueError("there is no link at all, neither found nor true: the rate is undefined")
    common = sum(len(f & t) for f, t in zip(found, true, strict=True))
    return 1 - 2 * common / sum(len(f) + len(t) for f, t in zip(found, true, strict=True))


def mean_nll(model: nn.Module, objective, examples: Sequence, batch_size: int = 64) -> float:
    """Mean negative log-likelihood of the labels, in nats: per token, or per example where the labels are classes.

    It is measured with teacher forcing and without dropout. Label smoothing and auxiliary losses are left out, so that
    models trained with them can be compared with others. A long text is read in consecutive windows, each without the
    text before it. The random choices of an objective are the same in each call.

    Raises:
        ValueError: no examples.
    """
    return evaluate(model, objective, examples, batch_size)["loss"]


def evaluate(model: nn.Module, objective, examples: Sequence, batch_size: int = 64) -> dict[str, float]:
    """The loss as in `mean_nll`, and the accuracy if the labels are classes, from one pass.

    Raises:
        ValueError: no examples.
    """
    if isinstance(examples, Windows):
        examples = examples.side_by_side()
    nll, n_right, n_labels = 0.0, 0, 0
    for _, batch, outputs in in_batches(model, objective, examples, batch_size):
        nll += objective.nll(outputs, batch.labels).item()
        n_labels += batch.n_labels
        if hasattr(objective, "n_right"):
            n_right += objective.n_right(outputs, batch.labels)
    found = {"loss": nll / n_labels}
    return found | {"accuracy": n_right / n_labels} if hasattr(objective, "n_right") else found


def predicted_classes(model: nn.Module, objective, examples: Sequence, batch_size: int = 64) -> list[int]:
    """The number of the most probable class of each example, from a model whose outputs have `task`.

    Raises:
        ValueError: no examples.
    """
    found = [0] * len(examples)
    for chosen, _, outputs in in_batches(model, objective, examples, batch_size):
        for i, label in zip(chosen, outputs.task.argmax(-1).tolist(), strict=True):
            found[i] = label
    return found


@torch.no_grad()
def in_batches(model: nn.Module, objective, examples: Sequence, batch_size: int = 64) -> Iterator[tuple]:
    """The indices of the examples, the batch and the outputs, batch by batch; without dropout.

    Raises:
        ValueError: no examples.
    """
    device = next(model.parameters()).device
    plan = LengthBuckets([objective.lengths(example) for example in examples], batch_size)
    with evaluating(model):
        for step in range(plan.steps_per_epoch):
            chosen, generator = plan.batch(step), torch.Generator().manual_seed(step)
            batch = objective.collate([examples[i] for i in chosen], generator).to(device)
            yield chosen, batch, model(*batch.inputs)


def accuracy(found: Sequence, true: Sequence) -> float:
    """The share of predicted labels that are correct.

    Raises:
        ValueError: not as many predictions as labels, or none.
    """
    _check_pairs(found, true)
    return sum(f == t for f, t in zip(found, true, strict=True)) / len(true)


def on_unseen(splits: DatasetDict, score: Callable[[Dataset], dict[str, Any]]) -> dict[str, Any]:
    """The scores on each held-out split. The names have the split as a prefix, except those of the test split.

    A corpus with only a validation split, such as Tiny Shakespeare, is scored on this split.
    """
    result: dict[str, Any] = {}
    unseen = sorted(set(splits) - {"train", "validation"}, key=lambda split: split != "test") or ["validation"]
    for split in unseen:
        scores = score(splits[split])
        result |= scores if split == unseen[0] else {f"{split}_{key}": value for key, value in scores.items()}
    return result


def _check_pairs(found: Sequence, true: Sequence) -> None:
    if len(found) != len(true) or not len(true):
        raise ValueError(
            f"there are {len(found)} hypotheses for {len(true)} references: give one for each, at least one"
        )
