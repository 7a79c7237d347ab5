"""Parts 4 to 6: the same gaps of one to five words, filled in by GLM, T5, BART and BERT, and by frequent words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from seqbook import runs
from seqbook.data.loader import in_length_order
from seqbook.experiments.bert import ids_of, words_of
from seqbook.generation.decoding import greedy
from seqbook.models import BART, BERT, GPT, T5, PrefixLM
from seqbook.nn.mode import evaluating
from seqbook.objectives import FILLING
from seqbook.objectives.batch import pad
from seqbook.objectives.corruption.spans import spans_of
from seqbook.objectives.drawing import draw
from seqbook.objectives.rows import Row
from seqbook.runs import System

LENGTHS = (1, 2, 3, 4, 5)  # words
LONGEST_TEXT = 45  # words; the T5 of chapter 5.1 reads no more
EXAMPLES = {"Anna went to the market and {} a watch.": 1, "Clara was hungry, so {} pear.": 3}  # gaps, and their words
MAX_NEW = 12  # tokens for one gap
Answers = list[list[str]]  # the words for each gap


class Gap(NamedTuple):
    """A text, and the words of it that are missing: from `start` to the word before `stop`."""

    words: list[str]
    start: int
    stop: int

    @property
    def missing(self) -> list[str]:
        return self.words[self.start : self.stop]

    def around(self, system: System, *middle: int) -> list[int]:
        """The ids of the text, with something else in the gap."""
        left, right = (ids_of(system, part).tolist() for part in (self.words[: self.start], self.words[self.stop :]))
        return [*left, *middle, *right]


def gaps(run: runs.Run, n: int, lengths: Sequence[int] = LENGTHS) -> dict[int, list[Gap]]:
    """`n` gaps of each length in different test texts, at random places, with at least one word on each side."""
    generator, found = torch.Generator().manual_seed(0), {}
    texts = [words_of(run, text) for text in run.splits["test"]["text"]]
    for length in lengths:
        long = [words for words in texts if length + 2 <= len(words) <= LONGEST_TEXT and "<unk>" not in words]
        chosen = [long[i] for i in torch.randperm(len(long), generator=generator)[:n].tolist()]
        starts = [draw(1, len(words) - length - 1, generator) for words in chosen]
        found[length] = [Gap(words, start, start + length) for words, start in zip(chosen, starts, strict=True)]
    return found


def scores(gaps: dict[int, list[Gap]], fill: Callable[[list[Gap]], Answers], way: str) -> list[dict[str, Any]]:
    """For each length of a gap: the shares of gaps whose answer has exactly the missing words (right), and as many words
    (right_length). Texts of about the same length are filled together."""
    rows = []
    for length, some in gaps.items():
        right = right_length = 0
        for batch in in_length_order([len(gap.words) for gap in some], 50):
            for i, answer in zip(batch, fill([some[i] for i in batch]), strict=True):
                right += answer == some[i].missing
                right_length += len(answer) == length
        shares = {"right": right / len(some), "right_length": right_length / len(some)}
        rows.append({"way": way, "length": length, "gaps": len(some)} | shares)
    return rows


# ---- Ways to fill a gap. All networks are greedy.


def fill_with_glm(glm: System, gaps: Sequence[Gap]) -> Answers:
    """One `[MASK]` for each gap, whose words end where GLM predicts `[eop]`. Without it, the answer is too long."""
    objective, tokenizer = glm.objective, glm.objective.tokenizer
    rows = []
    for gap in gaps:
        ids = [tokenizer.bos_id, *gap.around(glm, objective.masks["token"]), tokenizer.eos_id]
        n, place = len(ids), gap.start + 1  # of the mask
        rows.append(Row([*ids, objective.begin], [], n, [*range(n), place], [*[0] * n, 1]))
    width, device = max(len(row.ids) for row in rows), next(glm.model.parameters()).device
    padding = [width - len(row.ids) for row in rows]
    columns = zip(*((row.ids, row.position_ids, row.block_position_ids) for row in rows), strict=True)
    ids, places, blocks = (
        torch.tensor([[0] * k + c for k, c in zip(padding, column, strict=True)], device=device) for column in columns
    )
    padding, prefix = (torch.tensor(column, device=device) for column in (padding, [row.prefix_length for row in rows]))
    stop = [objective.end, tokenizer.eos_id]
    found = greedy(glm.model, (ids, padding, prefix, places, blocks), max_new=MAX_NEW, stop=stop)
    return [tokenizer.tokens(answer) for answer in found]


def fill_with_t5(t5: System, gaps: Sequence[Gap]) -> Answers:
    """`<extra_id_0>` for each gap, whose words end where T5 predicts the next sentinel or the end."""
    objective, tokenizer = t5.objective, t5.objective.tokenizer
    first, second, *_ = objective.sentinels
    device = next(t5.model.parameters()).device
    sources = [[*gap.around(t5, first), objective.eos] for gap in gaps]
    given = (pad(sources, tokenizer.pad_id).to(device), torch.full((len(gaps), 1), objective.start, device=device))
    found = greedy(t5.model, given, max_new=MAX_NEW + 1, stop=[objective.eos, second])
    return [tokenizer.tokens(spans_of(answer, objective.sentinels).get(first, [])) for answer in found]


def fill_with_bart(bart: System, gaps: Sequence[Gap]) -> Answers:
    """`<mask>` for each gap; the answer is what BART writes between the two sides. If it changed them, there is none."""
    objective, found = bart.objective, []
    sources = [[objective.bos, *gap.around(bart, objective.mask), objective.start] for gap in gaps]
    device, longest = next(bart.model.parameters()).device, max(map(len, sources))
    starts = torch.tensor([[objective.start, objective.bos]] * len(gaps), device=device)
    given = (pad(sources, objective.tokenizer.pad_id).to(device), starts)
    for gap, ids in zip(
        gaps, greedy(bart.model, given, max_new=longest + MAX_NEW, stop=[objective.start]), strict=True
    ):
        words, right = objective.tokenizer.tokens(ids), gap.words[gap.stop :]
        answer = words[gap.start : len(words) - len(right)]
        found.append(answer if [*gap.words[: gap.start], *answer, *right] == words else [])
    return found


def fill_with_bert(bert: System, gaps: Sequence[Gap], n_masks: int) -> tuple[Answers, list[float]]:
    """`n_masks` masks for each gap, filled one by one, the surest first; and the mean log P (nats) of their words."""
    objective, device = bert.objective, next(bert.model.parameters()).device
    rows = [[objective.cls, *gap.around(bert, *[objective.mask] * n_masks), objective.sep] for gap in gaps]
    ids = pad(rows, objective.tokenizer.pad_id).to(device)
    places, every = torch.tensor([gap.start + 1 for gap in gaps], device=device), torch.arange(len(gaps), device=device)
    span = places[:, None] + torch.arange(n_masks, device=device)  # (B, n_masks)
    never, total = sorted(objective.special), torch.zeros(len(gaps), device=device)
    with evaluating(bert.model), torch.inference_mode():
        for _ in range(n_masks):
            masks = ids == objective.mask
            logits = bert.model(ids, masks).float()
            logits[:, never] = -torch.inf
            best = logits.log_softmax(-1).max(-1)  # of each mask that is left, text by text
            best_p, best_word = (torch.full(ids.shape, -torch.inf, device=device), torch.zeros_like(ids))
            best_p[masks], best_word[masks] = best.values, best.indices
            surest = best_p.argmax(1)
            total += best_p[every, surest]
            ids[every, surest] = best_word[every, surest]
    words = [objective.tokenizer.tokens(row) for row in ids.gather(1, span).tolist()]
    return words, (total / n_masks).tolist()


def fill_with_bert_and_guess(bert: System, gaps: Sequence[Gap]) -> Answers:
    """As many masks as give the words with the highest mean log P, of 1 to 5."""
    tried = [fill_with_bert(bert, gaps, n) for n in LENGTHS]
    best = [max(range(len(LENGTHS)), key=lambda n: tried[n][1][i]) for i in range(len(gaps))]
    return [tried[n][0][i] for i, n in enumerate(best)]


def fill_examples(run: System) -> list[tuple[str, str]]:
    """What a network fills into the texts of `EXAMPLES`, by the `fill` of its family: the answer, and its probability.

    GLM, T5 and BART have one mark for each gap; BERT and GPT have one for each word.
    """
    kind, objective = type(run.model), run.objective
    mark = {T5: "<extra_id_0>", BART: "<mask>"}.get(kind, "[MASK]")
    found = []
    for text, n_words in EXAMPLES.items():
        marked = text.format(" ".join([mark] * n_words) if kind in (BERT, GPT) else mark)
        if hasattr(objective, "fill"):
            ((filled, words),) = objective.fill(run.model, [marked])
        else:
            ((filled, words),) = FILLING[kind](run.model, objective.tokenizer, [marked])
        shares = [found[0][1] for found in words]
        found.append((filled, " · ".join(f"{share:.0%}" for share in shares)))
    return found


def most_frequent(run: runs.Run, gaps: dict[int, list[Gap]]) -> list[dict[str, Any]]:
    """Two baselines that are told the length of each gap: the words that are most frequent in the training texts, and
    those that are most frequent between the two words beside the gap."""
    wanted = {(gap.words[gap.start - 1], gap.words[gap.stop]) for some in gaps.values() for gap in some}
    alone, between = defaultdict(Counter), defaultdict(Counter)
    tokenizer = run.objective.tokenizer
    for ids in tokenizer.encode_batch(run.splits["train"]["text"][:]):
        words = tokenizer.tokens(ids)
        for length in gaps:
            for start in range(len(words) - length + 1):
                alone[length][tuple(words[start : start + length])] += 1
            for start in range(1, len(words) - length):
                if (beside := (words[start - 1], words[start + length])) in wanted:
                    between[length, *beside][tuple(words[start : start + length])] += 1

    def by_frequency(some: list[Gap]) -> Answers:
        return [list(alone[len(gap.missing)].most_common(1)[0][0]) for gap in some]

    def by_neighbours(some: list[Gap]) -> Answers:
        keys = [(len(gap.missing), gap.words[gap.start - 1], gap.words[gap.stop]) for gap in some]
        return [list(between[key].most_common(1)[0][0]) if key in between else [] for key in keys]

    return scores(gaps, by_frequency, "most frequent words") + scores(gaps, by_neighbours, "between the neighbours")


def filled(run: runs.Run, found: dict[int, list[Gap]]) -> list[dict[str, Any]]:
    """`scores` of a GLM, T5, BART or BERT."""
    ways = {PrefixLM: ("GLM", fill_with_glm), T5: ("T5", fill_with_t5), BART: ("BART", fill_with_bart)}
    if type(run.model) in ways:
        way, fill = ways[type(run.model)]
        return scores(found, lambda some: fill(run, some), way)
    told = scores(found, lambda some: fill_with_bert(run, some, len(some[0].missing))[0], "BERT, told the length")
    return told + scores(found, lambda some: fill_with_bert_and_guess(run, some), "BERT, guessing the length")
