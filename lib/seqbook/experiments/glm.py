"""Part 6, GLM: gaps of one to five words, filled in by GLM, BERT and T5, and the order in which several are filled."""

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import torch

from seqbook import runs
from seqbook.data.loader import in_length_order
from seqbook.experiments.bert import ids_of, words_of
from seqbook.experiments.trials import train, untrained
from seqbook.generation.decoding import greedy
from seqbook.metrics import mean_nll
from seqbook.models import PrefixLM
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import pad
from seqbook.objectives.blank_infilling import BlankInfilling
from seqbook.objectives.blanks import blank_out
from seqbook.objectives.corruption.spans import spans_of
from seqbook.objectives.drawing import Span, draw, scatter
from seqbook.objectives.rows import PrefixBatch, Row, collate
from seqbook.recipes import configure
from seqbook.runs import System

LENGTHS = (1, 2, 3, 4, 5)  # words
LONGEST_TEXT = 90  # words
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


# ---- The order in which several blanks are filled


def several_blanks(glm: runs.Run, n: int, n_blanks: int = 3, length: int = 2) -> list[tuple[list[int], list[Span]]]:
    """`n` test texts with blanks of `length` tokens each at random places: their ids, and the blanks."""
    generator = torch.Generator().manual_seed(0)
    long = [ids for (ids,) in glm.examples("test") if len(ids) >= 4 * n_blanks * length]
    chosen = [long[i] for i in torch.randperm(len(long), generator=generator)[:n].tolist()]
    return [(ids, scatter([length] * n_blanks, len(ids), generator)) for ids in chosen]


class Ordered(BlankInfilling):
    """Blanks that are given, in the order of the text or from the last one to the first. Examples are (ids, blanks)."""

    def __init__(self, objective: BlankInfilling, backwards: bool):
        super().__init__(objective.tokenizer, objective.config, max_len=objective.max_len)
        self.backwards = backwards

    def lengths(self, example: tuple[list[int], list[Span]]) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list, generator: torch.Generator | None = None) -> PrefixBatch:
        rows = []
        for ids, spans in examples:
            text, order = [self.tokenizer.bos_id, *ids, self.tokenizer.eos_id], range(len(spans))
            shifted = [(start + 1, stop + 1) for start, stop in spans]
            order = order[::-1] if self.backwards else order
            rows.append(blank_out(text, shifted, order, self.masks["token"], self.begin, self.end))
        return collate(rows, self.tokenizer.pad_id)


def by_order(glm: runs.Run, n: int = 500) -> dict[str, float]:
    """The loss (nats per token) in texts with three blanks, whose answers follow in the order of the text (forwards), or
    from the last one to the first (backwards)."""
    examples = several_blanks(glm, n)
    orders = {"forwards": False, "backwards": True}
    return {
        name: mean_nll(glm.model, Ordered(glm.objective, backwards), examples) for name, backwards in orders.items()
    }


# ---- Without the second position


def uncounted_model(model: PrefixLM) -> PrefixLM:
    """The same network, in which the tokens of an answer are not counted: all of them have the vector of block position 1,
    as with `--no-block-position` in GLM's own code."""
    same = copy.deepcopy(model)
    with torch.no_grad():
        same.block_positions.weight[2:] = same.block_positions.weight[1]
    return same


def uncounted(glm: runs.Run) -> runs.Run:
    return replace(glm, model=uncounted_model(glm.model))


class Uncounted(BlankInfilling):
    """GLM's objective without counting: the second position is 0 in part A and 1 in part B."""

    def row(self, *given: Any) -> Row:
        row = super().row(*given)
        return row._replace(block_position_ids=[min(i, 1) for i in row.block_position_ids])


# ---- The published rows

Name = Literal["GLM", "GLM, spans in order", "GLM, answers not counted", "BERT", "T5"]


def trained(name: Name, seed: int) -> runs.Run:
    """The network of this name, trained with this seed.

    Raises:
        ValueError: an unknown name.
    """
    match name:
        case "GLM":
            return runs.run("glm", seed=seed)
        case "GLM, spans in order":
            return runs.run("glm", seed=seed, shuffle=False)
        case "GLM, answers not counted":
            recipe = configure("glm")
            new = untrained(recipe, seed)
            objective = Uncounted(new.objective.tokenizer, new.objective.config, max_len=new.objective.max_len)
            run = uncounted(train(replace(new, objective=objective), recipe, seed))
            return replace(run, result=run.result | objective.scores(run.model, run.splits))
        case "BERT" | "T5":
            return runs.run(name.lower(), seed=seed)
    raise ValueError(f"unknown name {name!r}: choose one of {', '.join(get_args(Name))}")


def filled(run: runs.Run, found: dict[int, list[Gap]]) -> list[dict[str, Any]]:
    """`scores` of a GLM, BERT or T5."""
    match type(run.model).__name__:
        case "PrefixLM":
            return scores(found, lambda some: fill_with_glm(run, some), "GLM")
        case "T5":
            return scores(found, lambda some: fill_with_t5(run, some), "T5")
        case _:
            told = scores(
                found, lambda some: fill_with_bert(run, some, len(some[0].missing))[0], "BERT, told the length"
            )
            return told + scores(found, lambda some: fill_with_bert_and_guess(run, some), "BERT, guessing the length")


def measured(*, seed: int, network: Name, n: int = 200) -> dict[str, Any]:
    """A row of the sweeps "glm…": size, training and losses of a network, and the gaps that it fills; of a
    GLM also `by_order`, and the gaps that it fills without counting; beside BERT the two baselines."""
    run = trained(network, seed)
    kept = ("params", "steps", "tokens", "seconds", "val_loss", "loss", "token_loss", "sentence_loss", "document_loss")
    row = {key: run.result[key] for key in kept if key in run.result}
    found = gaps(run, n)
    row["filled"] = filled(run, found)
    if network.startswith("GLM"):
        row |= by_order(run)
        row["filled_uncounted"] = filled(uncounted(run), found)
    if network == "BERT":
        row["filled"] += most_frequent(run, found)
    return row
