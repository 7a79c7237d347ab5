"""Part 6, GLM: the order in which blanks are filled, answers whose tokens are not counted, and what it is compared with."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import torch

from seqbook import runs
from seqbook.experiments.gaps import fill_examples, filled, gaps, most_frequent
from seqbook.experiments.trials import train, untrained
from seqbook.metrics import mean_nll
from seqbook.models import PrefixLM
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.blank_infilling import BlankInfilling
from seqbook.objectives.blanks import blank_out
from seqbook.objectives.drawing import Span, scatter
from seqbook.objectives.rows import PrefixBatch, Row, collate
from seqbook.recipes import configure
from seqbook.runs import published

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

Name = Literal["GLM", "GLM, spans in order", "GLM, answers not counted", "BERT", "T5", "BART"]
SHORT_T5 = {"max_len": 128, "steps": 700, "learning_rate": 3e-3}  # as many steps and tokens as BERT
NAMES: tuple[Name, ...] = get_args(Name)


def trained(name: Name, seed: int, **settings: Any) -> runs.Run:
    """The network of this name, trained with this seed and these settings of its recipe.

    Raises:
        ValueError: an unknown name.
    """
    match name:
        case "GLM":
            return runs.run("glm", seed=seed, **settings)
        case "GLM, spans in order":
            return runs.run("glm", seed=seed, shuffle=False, **settings)
        case "GLM, answers not counted":
            recipe = configure("glm", **settings)
            new = untrained(recipe, seed)
            objective = Uncounted(new.objective.tokenizer, new.objective.config, max_len=new.objective.max_len)
            run = uncounted(train(replace(new, objective=objective), recipe, seed))
            return replace(run, result=run.result | objective.scores(run.model, run.splits))
        case "T5":
            return runs.run("t5", seed=seed, **SHORT_T5 | settings)
        case "BERT" | "BART":
            return runs.run(name.lower(), seed=seed, **settings)
    raise ValueError(f"unknown name {name!r}: choose one of {', '.join(NAMES)}")


def validated(*, seed: int, network: Name, learning_rate: float) -> dict[str, Any]:
    """A row of the sweep "glm-rates": the validation loss (nats per token) of a network that is trained at this rate."""
    run = trained(network, seed, learning_rate=learning_rate)
    return {key: run.result[key] for key in ("params", "steps", "seconds", "val_loss")} | published.curve(run.history)


def measured(*, seed: int, network: Name, n: int = 200, **settings: Any) -> dict[str, Any]:
    """A row of the sweeps "glm…": size, training and losses of a network, and the gaps that it fills; of a
    GLM also `by_order`, and the gaps that it fills without counting; beside BERT the two baselines."""
    run = trained(network, seed, **settings)
    kept = ("params", "steps", "tokens", "seconds", "val_loss", "loss", "token_loss", "sentence_loss", "document_loss")
    row = {key: run.result[key] for key in kept if key in run.result}
    found = gaps(run, n)
    row |= {"filled": filled(run, found), "examples": fill_examples(run)}
    if network.startswith("GLM"):
        row |= by_order(run)
        row["filled_uncounted"] = filled(uncounted(run), found)
    if network == "BERT":
        row["filled"] += most_frequent(run, found)
    return row


# ---- What the chapter shows of a row


def with_shares(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the shares of right answers and of right lengths over all gaps that its network filled."""
    own = [part for part in row["filled"] if part["way"] == "GLM"]
    return {**row, **{name: sum(part[name] for part in own) / len(own) for name in ("right", "right_length")}}


def unigram(glm: runs.Run, n: int = 6_000) -> float:
    """The loss (nats per predicted token) of a model that gives each token the probability of its frequency in the labels
    of `n` training texts, plus one."""
    counts, draw = torch.ones(len(glm.objective.tokenizer)), torch.Generator().manual_seed(0)
    train, test = (glm.objective.collate(glm.examples(split)[:n], draw).labels for split in ("train", "test"))
    counts += torch.bincount(train[train != IGNORED], minlength=len(counts))
    return -(counts / counts.sum())[test[test != IGNORED]].log().mean().item()
