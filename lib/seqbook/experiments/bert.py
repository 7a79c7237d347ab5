"""Part 4, BERT: what it assumes about two masked words, how it predicts after different maskings, what it generates."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import log
from typing import Any

import torch
from torch import Tensor

from microworld.words.names import NAMES
from seqbook import metrics, runs
from seqbook.data.loader import in_length_order
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.gpt import read_continuations, story_openings
from seqbook.generation import infilling
from seqbook.generation.sampling import sampler
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import pad
from seqbook.objectives.filling import MASK, special_ids
from seqbook.objectives.layouts import CLS, SEP
from seqbook.runs import System


def words_of(run: System, text: str) -> list[str]:
    """The words of a text, as the run's tokenizer cuts it."""
    tokenizer = run.objective.tokenizer
    return tokenizer.tokens(tokenizer.encode(text))


def ids_of(run: System, words: Sequence[str]) -> Tensor:
    """The id of each word: (words,).

    Raises:
        ValueError: a word that is not in the vocabulary.
    """
    return torch.tensor([run.objective.tokenizer.special_id(word) for word in words])


@torch.no_grad()
def log_p_of_masks(bert: System, texts: Sequence[tuple[Sequence[str], Sequence[int]]]) -> Tensor:
    """log P of each word of the vocabulary at each masked word of each text, from one pass per text: (texts, masks, vocab).

    texts: the words of each text, and the indices of those to mask, in ascending order; the same number in each text.
    """
    tokenizer, device = bert.objective.tokenizer, next(bert.model.parameters()).device
    mask, cls, sep = (tokenizer.special_id(name) for name in (MASK, CLS, SEP))
    found = torch.empty(len(texts), len(texts[0][1]), len(tokenizer))
    with evaluating(bert.model):
        for rows in in_length_order([len(words) for words, _ in texts], 64):
            ids = [[cls, *ids_of(bert, texts[i][0]).tolist(), sep] for i in rows]
            for row, i in zip(ids, rows, strict=True):
                for at in texts[i][1]:
                    row[at + 1] = mask
            batch = pad(ids, tokenizer.pad_id).to(device)
            logits = bert.model(batch, batch == mask)
            found[rows] = logits.float().log_softmax(-1).cpu().unflatten(0, (len(rows), -1))
    return found


# ---- Masked words are predicted independently of each other (C19)

FRAMES = {  # pairs of words that depend on each other, as the two groups of a pattern
    "name and pronoun": re.compile(r"^(\w+) lived (?:in|on) [\w ]+?\. (He|She) had an? "),
    "verb and thing": re.compile(r"\b(?:he|she) (\w+) (?:an?|the) (\w+)\."),
}


def pairs_in(texts: Sequence[str], pattern: re.Pattern) -> Iterator[re.Match]:
    """The first match in each text that has one."""
    return filter(None, map(pattern.search, texts))


def mutual_information(pairs: Sequence[tuple[str, str]]) -> float:
    """Σ p(a, b) ln p(a, b) / (p(a) p(b)), in nats, with the shares of the pairs as probabilities."""
    both, first, second = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    n = len(pairs)
    return sum(count / n * log(count * n / (first[a] * second[b])) for (a, b), count in both.items())


def independence(bert: runs.Run) -> list[dict[str, Any]]:
    """What it costs that two masked words are predicted as if they were independent (C19).

    One dict per pair of words that depend on each other: joint, the mean of −log P(a, b) in nats if the second word is
    predicted when the first one has been filled in; independent, the same if both are predicted at once; gap, their
    difference; gap_in_training, the mutual information of the two words in the training texts, which is the least that
    any model loses that predicts both at once and knows nothing else of the text.
    """
    held_out = [text for split in ("test", "validation") for text in bert.splits[split]["text"]]
    found = []
    for name, pattern in FRAMES.items():
        texts, filled, true = [], [], []
        for match in pairs_in(held_out, pattern):
            words = words_of(bert, match.string)
            places = [len(words_of(bert, match.string[: match.start(group)])) for group in (1, 2)]
            if len(words) <= 120:
                texts.append((words, places))
                filled.append((words, places[1:]))
                true.append(ids_of(bert, match.group(1, 2)).tolist())
        true = torch.tensor(true)
        at_once = log_p_of_masks(bert, texts).gather(-1, true[..., None]).squeeze(-1)  # (N, 2)
        second = log_p_of_masks(bert, filled)[:, 0].gather(-1, true[:, 1:]).squeeze(-1)  # (N,)
        joint, independent = -(at_once[:, 0] + second).mean().item(), -at_once.sum(1).mean().item()
        counted = [match.group(1, 2) for match in pairs_in(bert.splits["train"]["text"], pattern)]
        if name == "name and pronoun":  # a name occurs too seldom to be counted; its gender is what matters
            women = {noun.en for noun in NAMES if "female" in noun.classes}
            counted = [("woman" if who in women else "man", pronoun) for who, pronoun in counted]
        row = {"pair": name, "texts": len(texts), "joint": joint, "independent": independent}
        found.append(row | {"gap": independent - joint, "gap_in_training": mutual_information(counted)})
    return found


# ---- Rates of masking, and what replaces a chosen word (C20)


def at_common_rate(bert: runs.Run, rate: float = 0.15) -> dict[str, float]:
    """Loss (nats per masked token) and accuracy on the test split if every chosen token becomes [MASK], at one rate.

    So models that were trained with different rates or replacements are compared on the same predictions.
    """
    config = replace(bert.objective.config, rate=rate, mask_share=1.0, random_share=0.0)
    objective = type(bert.objective)(bert.objective.tokenizer, config, max_len=bert.objective.max_len)
    found = metrics.evaluate(bert.model, objective, objective.examples(bert.splits["test"]))
    return {f"common_{name}": value for name, value in found.items()}


# ---- Generation (C21)


def generated(bert: runs.Run, gpt: runs.Run, n: int = 60, length: int = 40, sweeps: int = 3) -> list[dict[str, Any]]:
    """What a reader of the micro-world finds in texts that both models continue after the same first sentences (C21).

    BERT fills `length` masks after each opening, with words drawn from its probabilities: all at once, from left to right,
    or all at once and then one after the other again, `sweeps` times (iterated). GPT continues with as many tokens.
    passes: how often the model reads each text. Other columns: as in `read_continuations`.
    """
    openings, tokenizer = story_openings(bert, n), bert.objective.tokenizer
    mask, cls, sep = (tokenizer.special_id(name) for name in (MASK, CLS, SEP))
    prompts = [[cls, *tokenizer.encode(text), *[mask] * length, sep] for text in openings]
    ids = pad(prompts, tokenizer.pad_id).to(next(bert.model.parameters()).device)
    ways = {
        "at once": (infilling.fill_at_once, {}, 1),
        "in order": (infilling.fill_one_by_one, {}, length),
        "iterated": (infilling.fill_repeatedly, {"sweeps": sweeps}, 1 + sweeps * length),
    }
    found = []
    for way, (fill, how, passes) in ways.items():
        choose = sampler(generator=torch.Generator(ids.device).manual_seed(0))
        filled = fill(bert.model, ids, mask, choose, tuple(special_ids(tokenizer) - {sep}), **how)
        texts = [cut(tokenizer, row, sep) for row in filled.tolist()]
        row = {"way": f"BERT, {way}", "passes": passes, "example": texts[0]}
        found.append(row | read_continuations(texts, openings))
    texts = gpt.generate(openings, max_new=length, temperature=1.0)
    return [*found, {"way": "GPT", "passes": length, "example": texts[0]} | read_continuations(texts, openings)]


def cut(tokenizer: Tokenizer, ids: Sequence[int], end: int) -> str:
    """The text before the first `end`."""
    ids = list(ids)
    return tokenizer.decode(ids[: ids.index(end)] if end in ids else ids)


def measured(bert: runs.Run) -> dict[str, Any]:
    """What the sweep "bert" publishes beside the scores."""
    return at_common_rate(bert) | {"independence": independence(bert)}


def written(*, seed: int) -> dict[str, Any]:
    """A row of the sweep "bert-generation": `generated` by BERT and GPT with this seed."""
    return {"generated": generated(runs.run("bert", seed=seed), runs.run("gpt", seed=seed))}
