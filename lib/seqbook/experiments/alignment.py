"""C4: attention of a recurrent network beside the generator's true alignment, and what its encoder's states contain.

All functions read a run (`runs.run`) of a system that translates, and rows of its corpus with their true links.
"""

from collections.abc import Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor

from seqbook import metrics
from seqbook.experiments.recurrent import BATCH_SIZE, as_written, links_of, other_words, to_batch
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
from seqbook.runs import Run


@torch.no_grad()
def attention_weights(run: Run, rows: Dataset) -> list[Tensor]:
    """α of each row of `rows`, for a recurrent network with attention: (target tokens with `<eos>`, source tokens).

    Row i of α contains the weights for the prediction of y_i, with teacher forcing; each row sums to 1.

    Raises:
        ValueError: a model without attention, or a Transformer, which has many maps: see `experiments.transformer`.
    """
    if getattr(run.model, "attention", None) is None:
        raise ValueError(f"{type(run.model).__name__} has no attention of its own: take the recipe `attention`")
    examples, found = run.objective.examples(rows), []
    for start in range(0, len(examples), BATCH_SIZE):
        chosen = examples[start : start + BATCH_SIZE]
        with evaluating(run.model), record(run.model) as maps:
            run.model(*to_batch(run, chosen).inputs)
        weights = torch.cat(maps["attention"], dim=1)  # (B, T, S), from one forward, or from one per target token
        for w, (x, y) in zip(weights.cpu(), chosen, strict=True):
            found.append(as_written(run, w[: len(y) + 1, : len(x)]))
    return found


@torch.no_grad()
def nll_with_weights(run: Run, rows: Dataset) -> dict[str, float]:
    """How well a trained network with attention predicts if its weights are replaced: nats per token, teacher-forced,
    over the target tokens that have a true link.

    `learned`: its own weights; `largest`: 1 for the largest of them and 0 for all others; `true alignment`: equal
    weights for the source words that the token translates.

    Raises:
        ValueError: a corpus whose true alignment is not known.
    """
    model, losses = run.model, {"learned": [], "largest": [], "true alignment": []}
    learned_weights = attention_weights(run, rows)
    with evaluating(model):
        for example, links, learned in zip(run.objective.examples(rows), links_of(rows), learned_weights, strict=True):
            batch = to_batch(run, [example])
            state = model.encode(batch.inputs[0])
            start = tuple(t.transpose(0, 1).contiguous() for t in (state.hidden, state.cell))
            s, _ = model.decoder(model.embedding(batch.inputs[1]), start)  # (1, T, D)
            true = torch.zeros_like(learned)  # (T, S)
            for j, i in links:
                true[i, j] = 1.0
            linked = true.sum(-1) > 0
            largest = F.one_hot(learned.argmax(-1), learned.shape[-1]).float()
            for name, weights in {"learned": learned, "largest": largest, "true alignment": true}.items():
                share = as_written(run, weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)).to(s.device)
                logits = model.out(torch.tanh(model.combine(torch.cat([s, share[None] @ state.memory], dim=-1))))
                loss = F.cross_entropy(logits[0].float(), batch.labels[0], reduction="none").cpu()
                losses[name].append(loss[linked])
    return {name: torch.cat(values).mean().item() for name, values in losses.items()}


@torch.no_grad()
def state_change_by_distance(run: Run, rows: Dataset, longest: int = 6, seed: int = 0) -> list[float]:
    """How much of a source word the encoder's states at other positions contain: entry δ is the mean of
    ‖h'_{j+δ} − h_{j+δ}‖ / ‖h'_j − h_j‖ over words j, where h' are the states after word j was replaced at random, and
    over both directions. So entry 0 is 1, and all others are 0 if a state contains only its own word.

    rows: sentences of the same number of source tokens or different ones; longest: the largest distance δ.
    """
    draw, found = torch.Generator().manual_seed(seed), [[] for _ in range(longest + 1)]
    with evaluating(run.model):
        for source, _ in run.objective.examples(rows):
            ids = run.objective.collate_sources([source]).to(next(run.model.parameters()).device)
            m = ids.shape[1]
            changed = ids.repeat(m, 1)  # (S, S), row j with another word at position j
            changed.diagonal().copy_(other_words(run, ids[0], draw))
            before, after = run.model.encode(ids).memory, run.model.encode(changed).memory
            change = (after - before).norm(dim=-1).cpu()  # (S, S): of the state at k, if word j is replaced
            share = change / change.diagonal()[:, None]
            for distance in range(min(longest + 1, m)):
                found[distance] += [*share.diagonal(distance).tolist(), *share.diagonal(-distance).tolist()]
    return [sum(values) / len(values) for values in found if values]


def alignment_of_linked_characters(rows: Dataset, weights: Sequence[Tensor], seed: int = 0) -> pd.DataFrame:
    """C4: how well the largest weight of each character points to the word that the character translates.

    weights: for each row of `rows` a map (target tokens, source tokens), such as those of `attention_weights`.

    One row for `attention`; for two baselines, the `diagonal` and a word at `random`; and for the `best` that is
    possible with one word per character, which is above 0 because a character may translate several words. Columns:

    - `error`: the alignment error rate {cite}`och2003systematic` over the characters that have a true link. The others,
      such as particles that only Chinese has, are not scored, wherever their weights point to.
    - `error_of_all`: the rate if all characters are scored, so that every link of a character that has no true one is
      wrong.
    - `beside`: of the wrong links of the first column, the share that points one word beside a true one (none: missing).

    Raises:
        ValueError: a corpus whose true alignment is not known.
    """
    draw = torch.Generator().manual_seed(seed)
    true = links_of(rows)
    pointed: dict[str, list[list[int]]] = {"attention": [], "diagonal": [], "random": [], "best": []}
    for links, w in zip(true, weights, strict=True):
        n_words, n_characters = w.shape[1], w.shape[0] - 1  # without <eos>
        right = {j: i for i, j in links}
        step = (n_words - 1) / max(1, n_characters - 1)
        pointed["attention"].append(w[:-1].argmax(-1).tolist())
        pointed["diagonal"].append([round(j * step) for j in range(n_characters)])
        pointed["random"].append(torch.randint(n_words, (n_characters,), generator=draw).tolist())
        pointed["best"].append([right.get(j, 0) for j in range(n_characters)])

    table = {}
    for name, words in pointed.items():
        found = [{(i, j) for j, i in enumerate(row)} for row in words]
        linked = [{(i, j) for i, j in f if j in {j for _, j in t}} for f, t in zip(found, true, strict=True)]
        distances = [
            min(abs(i - i_true) for i_true, j_true in t if j_true == j)
            for f, t in zip(linked, true, strict=True)
            for i, j in f - t
        ]
        table[name] = {
            "error": metrics.alignment_error_rate(linked, true),
            "error_of_all": metrics.alignment_error_rate(found, true),
            "beside": distances.count(1) / len(distances) if distances else float("nan"),
        }
    return pd.DataFrame.from_dict(table, orient="index")
