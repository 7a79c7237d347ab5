"""What the heads of a Transformer do: their maps, their roles, and how well they show the alignment (chapter 2.3)."""

from collections.abc import Sequence

import pandas as pd
import torch
from datasets import Dataset
from torch import Tensor

from seqbook.experiments.alignment import alignment_of_linked_characters
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
from seqbook.runs import System

OFFSETS = (-3, -2, -1, 0, 1, 2, 3)  # of the key from the query, in tokens
BATCH_SIZE = 64
Maps = dict[str, list[Tensor]]  # of each attention, for each sentence: (heads, query, key)


@torch.no_grad()
def attention_maps(system: System, rows: Dataset) -> Maps:
    """The weights of all heads of a Transformer for each row of `rows`, teacher-forced, without padding."""
    model, objective = system.model, system.objective
    device, examples, found = next(model.parameters()).device, objective.examples(rows), {}
    for start in range(0, len(examples), BATCH_SIZE):
        chosen = examples[start : start + BATCH_SIZE]
        with evaluating(model), record(model) as maps:
            model(*objective.collate(chosen).to(device).inputs)
        for name, (weights,) in maps.items():
            for (x, y), w in zip(chosen, weights.cpu(), strict=True):
                sizes = {"source": len(x), "target": len(y) + 1}  # the decoder reads <bos> y
                queries = sizes["source" if name.startswith("encoder.") else "target"]
                keys = sizes["target" if name.startswith("decoder.") and not _crosses(name) else "source"]
                found.setdefault(name, []).append(w[:, :queries, :keys])
    return found


def head_roles(maps: Maps, offsets: Sequence[int] = OFFSETS) -> pd.DataFrame:
    """For each head of self-attention, the mean weight that a query gives to the key at each offset from it.

    There is one row per head and one column per offset. A query without a key at an offset gives it 0.
    """
    found = {}
    for name, sentences in maps.items():
        if _crosses(name):
            continue
        shares = [
            torch.stack([w.diagonal(k, 1, 2).sum(-1) / w.shape[1] for k in offsets], dim=-1)  # (H, offsets)
            for w in sentences
        ]
        for head, row in enumerate(torch.stack(shares).mean(0).tolist()):
            columns = {f"{k:+d}" if k else "0": share for k, share in zip(offsets, row, strict=True)}
            found[f"{_short(name)}, head {head}"] = columns
    return pd.DataFrame.from_dict(found, orient="index")


def head_alignment_errors(maps: Maps, rows: Dataset) -> pd.DataFrame:
    """The alignment error rate of each head of cross-attention, and of the mean of a block's heads.

    One row per block. The rate is the column `error` of `experiments.alignment.alignment_of_linked_characters`.
    """

    def error(weights: list[Tensor]) -> float:
        return float(alignment_of_linked_characters(rows, weights).loc["attention", "error"])

    found = {}
    for name, sentences in maps.items():
        if _crosses(name):
            heads = {f"head {h}": error([w[h] for w in sentences]) for h in range(len(sentences[0]))}
            found[_short(name)] = heads | {"mean of the heads": error([w.mean(0) for w in sentences])}
    return pd.DataFrame.from_dict(found, orient="index")


def heads(system: System, rows: Dataset) -> dict[str, float]:
    """The numbers in chapter 2.3 about the heads of a Transformer, over `rows`.

    alignment_error: the lowest rate of a head of cross-attention; alignment_error_of_mean: the lowest rate of the mean
    of a block's heads; previous: the largest weight that a head gives to the previous token.
    """
    maps = attention_maps(system, rows)
    errors, roles = head_alignment_errors(maps, rows), head_roles(maps)
    return {
        "alignment_error": float(errors.drop(columns="mean of the heads").min(axis=None)),
        "alignment_error_of_mean": float(errors["mean of the heads"].min()),
        "previous": float(roles["-1"].max()),
    }


def _crosses(name: str) -> bool:
    return name.endswith("cross_attention")


def _short(name: str) -> str:
    """ "encoder.blocks.0.attention" → "encoder block 0"."""
    stack, _, block, _ = name.split(".")
    return f"{stack} block {block}"
