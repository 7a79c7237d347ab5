"""Part 7: what every system of the comparison is measured by, in the same way for every family."""

from collections import Counter
from statistics import mean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from seqbook import metrics, runs
from seqbook.data.loader import batches
from seqbook.objectives.task_pairs import Pairs
from seqbook.objectives.text_to_text import names

COUNTED = 8  # batches, of whose operations the mean is taken


def measured(run: runs.Run) -> dict[str, Any]:
    """score: the share of test examples whose whole answer is exactly right (none for continuations); majority: the same
    for the most frequent answer of the training split; flops: of the training; params_without_vocabulary."""
    flops = flops_per_step(run)
    return scored(run) | {
        "flops_per_step": flops,
        "flops": flops * run.result["steps"],
        "params_without_vocabulary": params_without_vocabulary(run),
    }


def scored(run: runs.Run) -> dict[str, float]:
    """score and majority, as in `measured`."""
    objective, test = run.objective, run.splits["test"]
    if isinstance(objective, Pairs):
        if objective.config.task == "continuation":
            return {}
        return {"score": run.result["accuracy"], "majority": run.result["majority"]}
    if "label" in test.column_names:
        return {"score": run.result["accuracy"], "majority": run.result["majority"]}
    if "tags" in test.column_names:
        true = [names(*row) for row in zip(test["tokens"][:], test["tags"][:], strict=True)]
        tags = objective.predict(run.model, test["tokens"][:])
        found = [named(*row) for row in zip(test["tokens"][:], tags, strict=True)]
    else:
        true, found = test["answer"][:], objective.answers(run.model, test["context"][:], test["question"][:])
    return {"score": metrics.exact_match(found, true), "majority": Counter(true).most_common(1)[0][1] / len(true)}


def named(tokens: list[str], tags: list[str]) -> str:
    """`names` of predicted tags, in which an I may follow no B: such a word belongs to no name."""
    inside, kept = "", []
    for tag in tags:
        place, _, kind = tag.partition("-")
        inside = kind if place == "B" or (place == "I" and kind == inside) else ""
        kept.append(tag if inside else "O")
    return names(tokens, kept)


def flops_per_step(run: runs.Run) -> float:
    """The operations of one training step, forward and backward: the mean over a few batches, by torch's counter."""
    examples, counts, training = run.examples("train"), [], run.model.training
    sampler = batches(examples, run.objective.lengths, run.result["config"]["training"]["batch_size"])
    with torch.backends.mkldnn.flags(enabled=False):  # inside its own LSTM the counter sees nothing
        for step in range(COUNTED):
            batch = run.objective.collate([examples[i] for i in sampler.batch(step)]).to(runs.device())
            with FlopCounterMode(display=False) as counter:
                run.objective.loss(run.model.train()(*batch.inputs), batch.labels).backward()
            run.model.zero_grad(set_to_none=True)
            counts.append(counter.get_total_flops())
    run.model.train(training)
    return mean(counts)


def params_without_vocabulary(run: runs.Run) -> int:
    """The parameters outside the tables with one row per token, since the vocabularies differ from task to task."""
    tokens = len(run.objective.tokenizers["tokenizer"])
    return sum(p.numel() for p in run.model.parameters() if p.shape[0] != tokens)
