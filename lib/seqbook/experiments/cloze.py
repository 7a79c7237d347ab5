"""Part 4, gaps in texts: which of them BERT fills in better than GPT, by where the evidence stands (C18)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from microworld.words.names import NAMES
from seqbook import runs
from seqbook.data.loader import in_length_order
from seqbook.experiments.bert import ids_of, log_p_of_masks, words_of
from seqbook.experiments.trials import train, untrained
from seqbook.generation.likelihood import log_likelihood
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED, Batch, pad
from seqbook.objectives.causal import Causal
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

    def filled(self, word: str) -> list[str]:
        """The words of the text with `word` in the gap."""
        return [*self.words[: self.at], word, *self.words[self.at + 1 :]]


def gaps_by_evidence(run: runs.Run, group: Collection[str] = NAMED, longest: int = 110) -> dict[str, list[Gap]]:
    """Gaps in the test texts, by where else the missing word stands in the text.

    right: the first of several mentions of a word, so that the other ones are on the right; left: the last one; both:
    one in the middle. group: the words that may be missing; longest: the number of words of the longest text that is used.
    """
    found: dict[str, list[Gap]] = {"left": [], "both": [], "right": []}
    for text in run.splits["test"]["text"]:
        words = words_of(run, text)
        if len(words) > longest:
            continue
        mentions: dict[str, list[int]] = {}
        for i, word in enumerate(words):
            if word in group:
                mentions.setdefault(word, []).append(i)
        for first, *middle, last in (places for places in mentions.values() if len(places) > 1):
            for side, places in {"right": [first], "both": middle[:1], "left": [last]}.items():
                found[side] += [Gap(words, i) for i in places]
    return found


def cloze(
    bert: runs.Run,
    gpt: runs.Run,
    n: int = 200,
    n_candidates: int = 10,
    groups: Mapping[str, Collection[str]] = MappingProxyType({"things": THINGS, "names": NAMED}),
) -> list[dict[str, Any]]:
    """How well each model predicts the missing words of `gaps_by_evidence`, from one pass and from several (C18).

    One dict per group of words, place of the evidence and way of reading: nats and right, over the whole vocabulary (not
    for "GPT, whole text"); right_of_ten, among the correct word and nine others of its group; passes, how often a model
    reads the text for one gap. "GPT, whole text" scores the text once with each of the ten words.
    """
    found = []
    for name, group in groups.items():
        generator = torch.Generator().manual_seed(0)
        for evidence, gaps in gaps_by_evidence(bert, group).items():
            chosen = [gaps[i] for i in torch.randperm(len(gaps), generator=generator)[:n].tolist()]
            about = {"words": name, "evidence": evidence, "gaps": len(chosen)}
            candidates = [_candidates(gap, sorted(group), n_candidates, generator) for gap in chosen]
            at_masks = log_p_of_masks(bert, [(gap.words, [gap.at]) for gap in chosen])[:, 0]
            for way, system, log_p in (("BERT", bert, at_masks), ("GPT, left side", gpt, _after_left(gpt, chosen))):
                found.append(about | {"way": way, "passes": 1} | _scores(system, log_p, candidates))
            right = _right_of_whole_texts(gpt, chosen, candidates)
            found.append(about | {"way": "GPT, whole text", "passes": n_candidates, "right_of_ten": right})
    return found


def _candidates(gap: Gap, group: Sequence[str], n: int, generator: torch.Generator) -> list[str]:
    """The missing word first, and then n − 1 others of the group that the text does not contain."""
    others = [group[i] for i in torch.randperm(len(group), generator=generator).tolist()]
    return [gap.words[gap.at], *[word for word in others if word not in gap.words][: n - 1]]


def _scores(system: System, log_p: Tensor, candidates: Sequence[Sequence[str]]) -> dict[str, float]:
    """Loss (nats per gap), the share of right words in the vocabulary, and among the candidates. log_p: (gaps, vocab)."""
    ids = torch.stack([ids_of(system, words) for words in candidates])  # (N, candidates)
    true = ids[:, 0]
    return {
        "nats": F.nll_loss(log_p, true).item(),
        "right": (log_p.argmax(-1) == true).float().mean().item(),
        "right_of_ten": (log_p.gather(1, ids).argmax(1) == 0).float().mean().item(),
    }


@torch.no_grad()
def _after_left(gpt: System, gaps: Sequence[Gap]) -> Tensor:
    """log P of each word of the vocabulary in each gap, given the words on its left: (gaps, vocab)."""
    tokenizer, device = gpt.objective.tokenizer, next(gpt.model.parameters()).device
    found = torch.empty(len(gaps), len(tokenizer))
    with evaluating(gpt.model):
        for rows in in_length_order([gap.at for gap in gaps], 64):
            ids = [[tokenizer.bos_id, *ids_of(gpt, gaps[i].words[: gaps[i].at]).tolist()] for i in rows]
            logits = gpt.model(pad(ids, tokenizer.pad_id).to(device))
            last = torch.tensor([len(row) - 1 for row in ids], device=device)
            found[rows] = logits[torch.arange(len(rows), device=device), last].float().log_softmax(-1).cpu()
    return found


def _right_of_whole_texts(gpt: System, gaps: Sequence[Gap], candidates: Sequence[Sequence[str]]) -> float:
    """The share of gaps in which the text is most probable with the missing word, the first of the candidates."""
    tokenizer = gpt.objective.tokenizer
    filled = [gap.filled(word) for gap, words in zip(gaps, candidates, strict=True) for word in words]
    texts = [[*ids_of(gpt, words).tolist(), tokenizer.eos_id] for words in filled]
    log_ps = torch.tensor(log_likelihood(gpt.model, [[tokenizer.bos_id]] * len(texts), texts))
    return (log_ps.view(len(gaps), -1).argmax(1) == 0).float().mean().item()


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
