"""Part 4, BERT: what it predicts better than GPT and where, what it assumes about two masked words, what it generates."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import log
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from microworld.words.names import NAMES
from seqbook import metrics, runs
from seqbook.data.loader import in_length_order
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.gpt import read_continuations, story_openings
from seqbook.experiments.trials import train, untrained
from seqbook.generation import infilling
from seqbook.generation.sampling import sampler
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED, Batch, pad
from seqbook.objectives.causal import Causal
from seqbook.objectives.filling import MASK, special_ids
from seqbook.objectives.layouts import CLS, SEP
from seqbook.recipes import configure
from seqbook.runs import System

NAMED = frozenset(name.en for name in NAMES)
THINGS = frozenset(
    "bag ball book box camera clock coin cup hat key knife lamp letter map pen phone ring scarf watch".split()
)


class Gap(NamedTuple):
    """A word of a text that a model has to predict: the words of the text, and the index of this one."""

    words: list[str]
    at: int


# ---- Both sides against one side (C18)


def gaps_by_evidence(run: runs.Run, words_of: Collection[str] = NAMED, longest: int = 110) -> dict[str, list[Gap]]:
    """Gaps in the test texts, by where else the missing word stands in the text.

    right: the first of several mentions of a word, so that the other ones are on the right; left: the last one; both:
    one in the middle. words_of: the words that may be missing; longest: the number of words of the longest text that is
    used.
    """
    found: dict[str, list[Gap]] = {"left": [], "both": [], "right": []}
    for words in map(_words(run), run.splits["test"]["text"]):
        if len(words) > longest:
            continue
        mentions: dict[str, list[int]] = {}
        for i, word in enumerate(words):
            if word in words_of:
                mentions.setdefault(word, []).append(i)
        for first, *middle, last in (places for places in mentions.values() if len(places) > 1):
            for side, places in {"right": [first], "both": middle[:1], "left": [last]}.items():
                found[side] += [Gap(words, i) for i in places]
    return found


def _words(run: runs.Run):
    tokenizer = run.objective.tokenizer
    return lambda text: tokenizer.tokens(tokenizer.encode(text))


def cloze(
    bert: runs.Run,
    gpt: runs.Run,
    n: int = 200,
    n_candidates: int = 10,
    groups: Mapping[str, Collection[str]] = MappingProxyType({"things": THINGS, "names": NAMED}),
) -> list[dict[str, Any]]:
    """How well each model predicts the missing words of `gaps_by_evidence`, from one pass and from several (C18).

    One dict per group of words, place of the evidence and way of reading: nats and right, over the whole vocabulary (None:
    not measured); right_of_ten, among the correct word and nine others of its group; passes, how often a model reads the
    text for one gap. "GPT, whole text" scores the text once with each of the ten words.
    """
    return [
        {"words": group} | row for group, words in groups.items() for row in _cloze(bert, gpt, n, n_candidates, words)
    ]


def _cloze(bert: runs.Run, gpt: runs.Run, n: int, n_candidates: int, group: Collection[str]) -> list[dict[str, Any]]:
    generator, names = torch.Generator().manual_seed(0), sorted(group)
    found = []
    for evidence, gaps in gaps_by_evidence(bert, group).items():
        order = torch.randperm(len(gaps), generator=generator)[:n].tolist()
        chosen = [gaps[i] for i in order]
        candidates = []
        for gap in chosen:
            others = [names[i] for i in torch.randperm(len(names), generator=generator).tolist()]
            others = [name for name in others if name not in gap.words][: n_candidates - 1]
            candidates.append([gap.words[gap.at], *others])
        ways = {
            "BERT": (_of_bert(bert, chosen), 1),
            "GPT, left side": (_of_gpt(gpt, chosen), 1),
            "GPT, whole text": (_of_gpt_on_whole_texts(gpt, chosen, candidates), n_candidates),
        }
        for way, (log_ps, passes) in ways.items():
            row: dict[str, Any] = {"evidence": evidence, "way": way, "gaps": len(chosen), "passes": passes}
            system = bert if way == "BERT" else gpt
            if passes == 1:
                true = _ids(system, [gap.words[gap.at] for gap in chosen])
                row["nats"] = F.nll_loss(log_ps, true).item()
                row["right"] = (log_ps.argmax(-1) == true).float().mean().item()
                log_ps = torch.stack(
                    [scores[_ids(system, ten)] for scores, ten in zip(log_ps, candidates, strict=True)]
                )
            row["right_of_ten"] = (log_ps.argmax(-1) == 0).float().mean().item()
            found.append(row)
    return found


def _ids(system: System, words: Sequence[str]) -> Tensor:
    return torch.tensor([system.objective.tokenizer.special_id(word) for word in words])


def _of_bert(bert: System, gaps: Sequence[Gap]) -> Tensor:
    """log P of each word of the vocabulary in each gap, (N, V)."""
    return log_p_of_masks(bert, [(gap.words, [gap.at]) for gap in gaps])[:, 0]


@torch.no_grad()
def log_p_of_masks(bert: System, texts: Sequence[tuple[Sequence[str], Sequence[int]]]) -> Tensor:
    """log P of each word of the vocabulary at each masked word of each text, (texts, masks, V), from one pass per text.

    texts: the words of each text, and the indices of those to mask, in ascending order; the same number in each text.
    """
    tokenizer, device = bert.objective.tokenizer, next(bert.model.parameters()).device
    mask, cls, sep = (tokenizer.special_id(name) for name in (MASK, CLS, SEP))
    found = torch.empty(len(texts), len(texts[0][1]), len(tokenizer))
    with evaluating(bert.model):
        for rows in in_length_order([len(words) for words, _ in texts], 64):
            ids = [[cls, *_ids(bert, texts[i][0]).tolist(), sep] for i in rows]
            for row, i in zip(ids, rows, strict=True):
                for at in texts[i][1]:
                    row[at + 1] = mask
            batch = pad(ids, tokenizer.pad_id).to(device)
            logits = bert.model(batch, batch == mask)
            found[rows] = logits.float().log_softmax(-1).cpu().unflatten(0, (len(rows), -1))
    return found


@torch.no_grad()
def _of_gpt(gpt: System, gaps: Sequence[Gap]) -> Tensor:
    """log P of each word of the vocabulary in each gap, given the words on its left, (N, V)."""
    tokenizer, device = gpt.objective.tokenizer, next(gpt.model.parameters()).device
    found = torch.empty(len(gaps), len(tokenizer))
    with evaluating(gpt.model):
        for rows in in_length_order([gap.at for gap in gaps], 64):
            ids = [[tokenizer.bos_id, *_ids(gpt, gaps[i].words[: gaps[i].at]).tolist()] for i in rows]
            logits = gpt.model(pad(ids, tokenizer.pad_id).to(device))
            at = torch.tensor([len(row) - 1 for row in ids], device=device)
            found[rows] = logits[torch.arange(len(rows), device=device), at].float().log_softmax(-1).cpu()
    return found


@torch.no_grad()
def _of_gpt_on_whole_texts(gpt: System, gaps: Sequence[Gap], candidates: Sequence[Sequence[str]]) -> Tensor:
    """log P of each text with each of its candidates in the gap, (N, candidates)."""
    tokenizer, objective, device = gpt.objective.tokenizer, gpt.objective, next(gpt.model.parameters()).device
    found = torch.empty(len(gaps), len(candidates[0]))
    with evaluating(gpt.model):
        for i, (gap, names) in enumerate(zip(gaps, candidates, strict=True)):
            texts = [[*gap.words[: gap.at], name, *gap.words[gap.at + 1 :]] for name in names]
            rows = [([tokenizer.bos_id, *_ids(gpt, text).tolist(), tokenizer.eos_id],) for text in texts]
            batch = objective.collate(rows).to(device)
            log_ps = gpt.model(*batch.inputs).float().log_softmax(-1)
            found[i] = log_ps.gather(-1, batch.labels[..., None]).sum((1, 2)).cpu()
    return found


def compared(
    *, seed: int, case: str = "", bert: Mapping[str, Any] = MappingProxyType({}), share: float = 1.0
) -> dict[str, Any]:
    """A row of the sweeps "cloze": `cloze` for BERT and GPT with this seed, and their sizes.

    case: the name of the row; bert: settings of BERT's pretraining that are changed; share: of GPT's predictions that
    count in its training, as in `trained_on_a_share`.
    """
    gpt = runs.run("gpt", seed=seed) if share == 1 else trained_on_a_share(share, seed)
    systems = {"bert": runs.run("bert", seed=seed, **bert), "gpt": gpt}
    sizes = {
        f"{name}_{key}": run.result[key] for name, run in systems.items() for key in ("params", "tokens", "seconds")
    }
    return sizes | {"cloze": cloze(**systems)}


def trained_on_a_share(share: float, seed: int) -> runs.Run:
    """The GPT of chapter 3.1, trained on the same windows, but with a loss only at a random share of their positions.

    So it makes as few predictions per window as BERT, and everything else is as before.
    """
    recipe = configure("gpt")
    new = untrained(recipe, seed)
    run = train(replace(new, objective=Sparse(new.objective, share)), recipe, seed)
    tokens = sum(step["tokens"] for step in run.history)
    return replace(run, objective=new.objective, result=run.result | {"tokens": tokens})


class Sparse(Causal):
    """Next-token prediction at a random share of the positions, drawn anew in each batch."""

    def __init__(self, objective: Causal, share: float):
        super().__init__(objective.tokenizer, objective.config, max_len=objective.max_len)
        self.share = share

    def collate(self, examples: list, generator: torch.Generator | None = None) -> Batch:
        batch = super().collate(examples)
        left_out = torch.rand(batch.labels.shape, generator=generator) >= self.share
        return Batch(batch.inputs, batch.labels.masked_fill(left_out, IGNORED))


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
            words = _words(bert)(match.string)
            places = [len(_words(bert)(match.string[: match.start(group)])) for group in (1, 2)]
            if len(words) <= 120:
                texts.append((words, places))
                filled.append((words, places[1:]))
                true.append(_ids(bert, match.group(1, 2)).tolist())
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


# ---- Fine-tuned after different pretrainings (C20, C22, C23)


def fine_tuned(
    *,
    seed: int,
    recipe: str,
    labels: int,
    pretraining: Mapping[str, Any] = MappingProxyType({}),
    base: str | None = None,
    change: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """Scores of a fine-tuning recipe after a pretraining with the same seed.

    labels: how many labelled examples there are; change: the name of the pretraining, for the row; pretraining: settings of the pretraining that are changed; base: the
    recipe that is pretrained (None: the one that the recipe starts from); settings: of the fine-tuning.
    """
    changed = configure(recipe, size=labels, **settings)
    pretrained = runs.run(base or changed.base, seed=seed, **pretraining)
    run = untrained(changed, seed)
    run.model.load_pretrained(pretrained.model)
    run = train(run, changed, seed)
    return run.result | run.objective.scores(run.model, run.splits) | {"pretraining_loss": pretrained.result["loss"]}
