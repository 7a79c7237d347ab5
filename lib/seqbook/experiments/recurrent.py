"""Part 1: what is measured on a trained translation system for the claims C1 and C2, and gradients through time.

C4 is in `experiments.alignment`.

All functions read a run (`runs.run`) of a system that translates, recurrent or Transformer, and return numbers.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor, nn

from seqbook.data.loader import in_length_order
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED, Batch
from seqbook.runs import Run

EDGES = (3, 7, 10, 14, 20, 46)  # of the bins, in source tokens
BATCH_SIZE = 64


def by_length(run: Run, edges: Sequence[int] = EDGES, first: int = 3) -> pd.DataFrame:
    """Scores of the test split by the length of the source, with one row per bin edges[b] ≤ length < edges[b + 1].

    Columns: `source_tokens` (their mean number), `sentences`, `exact_match`; in nats per target token, teacher-forced:
    `nll` of all tokens, `first_nll` of the first `first` tokens of each target, and `first_nll_without_source` of the
    same tokens, predicted only from the frequency of each token at this position in the training targets.

    What the columns show about C1, the claim that a context of fixed length works badly for long inputs:

    - `exact_match` falls with the length even if all tokens are equally hard, because more tokens must be right.
    - `nll` does not have that fault. But the later tokens of a long target may be harder for reasons other than the
      context: the decoder's own state has more to keep track of, and long sentences are rare in training.
    - `first_nll` compares the same positions in all sentences, at which the decoder has read hardly anything but the
      context. It still compares different tokens: Chinese puts time and place first, and long sentences have them more
      often. `first_nll_without_source` shows how much of a difference is due to this. A second system with attention,
      on the same sentences, shows how hard the tokens are for a decoder that can attend to every word.
    - None of them tells whether the context is too narrow or its path too long: the first words of a long source are
      also many steps away from the last state. The second experiment is the same lengths with wider models (d_model 96,
      192, 384). If the gap between short and long sources closes as the context widens, the context was too narrow.
      Everything else widens too, so the same widths are also trained with attention: only an effect that is larger than
      with attention is due to the context.

    Raises:
        ValueError: a bin without any sentence.
    """
    sentences, rows = _sentence_scores(run, first), []
    for low, high in pairwise(edges):
        inside = sentences[sentences["source_tokens"].between(low, high - 1)]
        if inside.empty:
            raise ValueError(f"no source has {low} to {high - 1} tokens: choose other edges")
        total = inside.sum()
        rows.append(
            {
                "source_tokens": inside["source_tokens"].mean(),
                "sentences": len(inside),
                "exact_match": inside["right"].mean(),
                "nll": total["nll"] / total["tokens"],
                "first_nll": total["first_nll"] / total["first_tokens"],
                "first_nll_without_source": total["guessed_nll"] / total["first_tokens"],
            }
        )
    return pd.DataFrame(rows)


def _sentence_scores(run: Run, first: int) -> pd.DataFrame:
    """One row per sentence of the test split: its lengths, whether its translation is right, and its summed losses."""
    config, eos = run.objective.config, run.objective.target_tokenizer.eos_id
    test, examples = run.splits["test"], run.examples("test")
    written = run.generate(test[config.source][:], beams=config.beams)
    losses, guesses = token_nll(run), -_log_frequencies(run, first)  # guesses: (first, V)
    first_ids = [[*y, eos][:first] for _, y in examples]
    return pd.DataFrame(
        {
            "source_tokens": [len(x) for x, _ in examples],
            "right": [w == y for w, y in zip(written, test[config.target][:], strict=True)],
            "tokens": [len(loss) for loss in losses],
            "nll": [loss.sum().item() for loss in losses],
            "first_tokens": [len(ids) for ids in first_ids],
            "first_nll": [loss[:first].sum().item() for loss in losses],
            "guessed_nll": [guesses[range(len(ids)), ids].sum().item() for ids in first_ids],
        }
    )


@torch.no_grad()
def token_nll(run: Run, split: str = "test") -> list[Tensor]:
    """−log P(y_i | y_<i, x) of each target token of each sentence, `<eos>` included: nats, teacher-forced."""
    examples = run.examples(split)
    found = [torch.empty(0)] * len(examples)
    with evaluating(run.model):
        for chosen in in_length_order([run.objective.lengths(example) for example in examples], BATCH_SIZE):
            batch = to_batch(run, [examples[i] for i in chosen])
            logits = run.model(*batch.inputs).float().transpose(1, 2)  # (B, V, T)
            losses = F.cross_entropy(logits, batch.labels, ignore_index=IGNORED, reduction="none").cpu()  # (B, T)
            for i, loss in zip(chosen, losses, strict=True):
                found[i] = loss[: len(examples[i][1]) + 1]
    return found


def over_seeds(rows: Sequence[Mapping[str, Any]], measure: str) -> pd.DataFrame:
    """The `by_length` of published rows with several seeds: for each bin the `mean`, `lowest` and `highest` value of one
    of its columns. The index is the mean number of source tokens; it is the same for all seeds, which share a test set.
    """
    tables = pd.concat([pd.DataFrame(row["by_length"]) for row in rows])
    return tables.groupby("source_tokens")[measure].agg(mean="mean", lowest="min", highest="max")


def sentences_between(run: Run, shortest: int, longest: int, n: int) -> Dataset:
    """The first n sentences of the test split that have `shortest` to `longest` source tokens."""
    lengths = [len(x) for x, _ in run.examples("test")]
    return run.splits["test"].select([i for i, length in enumerate(lengths) if shortest <= length <= longest][:n])


# ---- C2: which output a source word influences


def influence(run: Run, rows: Dataset, seed: int = 0) -> list[Tensor]:
    """How much the prediction of each target token changes when one source word is replaced: per row of `rows` a tensor
    (target tokens with `<eos>`, source tokens).

    The change is the total variation between P(y_i | y_<i, x) before and after, from 0 to 1. The replacement is drawn
    at random from the vocabulary, and is never the word itself. The decoder reads the true target in both cases.
    """
    examples, found = run.objective.examples(rows), []
    draw = torch.Generator().manual_seed(seed)
    for start in range(0, len(examples), BATCH_SIZE):
        found += _influence(run, examples[start : start + BATCH_SIZE], draw)
    return found


@torch.no_grad()
def _influence(run: Run, examples: list, draw: torch.Generator) -> list[Tensor]:
    pad_id, columns = run.objective.source_tokenizer.pad_id, []
    with evaluating(run.model):
        source_ids, target_ids = to_batch(run, examples).inputs
        before = run.model(source_ids, target_ids).softmax(-1)
        for j in range(source_ids.shape[1]):
            here, changed = source_ids[:, j], source_ids.clone()
            changed[:, j] = torch.where(here == pad_id, here, other_words(run, here, draw))
            after = run.model(changed, target_ids).softmax(-1)
            columns.append((after - before).abs().sum(-1).cpu() / 2)
    changes = torch.stack(columns, dim=-1)  # (B, T, S)
    return [as_written(run, rows[: len(y) + 1, : len(x)]) for rows, (x, y) in zip(changes, examples, strict=True)]


def other_words(run: Run, ids: Tensor, draw: torch.Generator) -> Tensor:
    """A random word in the place of each id, never the same one and never a special token."""
    tokenizer = run.objective.source_tokenizer
    first = tokenizer.special_id("<unk>") + 1
    n_words = len(tokenizer) - first
    further = torch.randint(1, n_words, ids.shape, generator=draw).to(ids.device)
    return first + (ids - first + further) % n_words


def influence_on_translations(run: Run, rows: Dataset, seed: int = 0) -> dict[str, float]:
    """C2: the mean `influence` of a word `on_own`, the characters that translate it, and `on_others`, all other target
    tokens, and their `ratio`. The ratio is 1 if every word influences all outputs equally.

    Raises:
        ValueError: a corpus whose true alignment is not known.
    """
    own, others = [], []
    for changes, links in zip(influence(run, rows, seed), links_of(rows), strict=True):
        linked = torch.zeros_like(changes, dtype=torch.bool)
        for i, j in links:
            linked[j, i] = True
        own.append(changes[linked])
        others.append(changes[~linked])
    on_own, on_others = torch.cat(own).mean(), torch.cat(others).mean()
    return {"on_own": on_own.item(), "on_others": on_others.item(), "ratio": (on_own / on_others).item()}


# ---- Gradients through time


def gradient_by_distance(network: nn.RNN | nn.LSTM, x: Tensor, seed: int = 0) -> list[float]:
    """How much the last state h_m of a recurrent network depends on earlier inputs: entry δ is the mean over the batch
    of ‖∂(u · h_m) / ∂x_{m−δ}‖, where u is a random vector of length 1.

    Each step back multiplies the gradient by one more Jacobian matrix ∂h_j / ∂h_{j−1}. So the gradient falls or grows
    about exponentially with the distance δ: it vanishes, or it explodes. An LSTM with torch's initialisation is no
    exception, because its forget gates start near 1/2. Unlike a plain RNN, it can learn to open these gates.

    x: sequences of one length, without padding, (batch, time, d_model); network: of one layer, `batch_first`.
    """
    x = x.detach().requires_grad_()
    u = torch.randn(len(x), network.hidden_size, generator=torch.Generator().manual_seed(seed)).to(x)
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has gradients in train mode alone
        states, _ = network(x)  # (B, T, D)
        (gradient,) = torch.autograd.grad((states[:, -1] * F.normalize(u, dim=-1)).sum(), x)
    return gradient.norm(dim=-1).mean(0).flip(0).tolist()


def encoder_gradient(run: Run, length: int = 20) -> list[float]:
    """`gradient_by_distance` of the encoder's lowest layer, in its first direction, over the first `length` tokens of the
    test sources that have so many.

    Raises:
        ValueError: no test source is that long.
    """
    sources = [x[:length] for x, _ in run.examples("test") if len(x) >= length]
    if not sources:
        raise ValueError(f"no source of the test split has {length} tokens: choose a smaller length")
    encoder = run.model.encoder
    ids = run.objective.collate_sources(sources).to(next(encoder.parameters()).device)
    return gradient_by_distance(encoder.layers[0][0], encoder.embedding(ids))


# ---- Shared


def to_batch(run: Run, examples: list) -> Batch:
    return run.objective.collate(examples).to(next(run.model.parameters()).device)


def as_written(run: Run, table: Tensor) -> Tensor:
    """A table whose columns are source tokens in the order of the text, also where the encoder read them backwards."""
    return table.flip(1) if run.objective.config.reverse_source else table


def links_of(rows: Dataset) -> list[set[tuple[int, int]]]:
    """The true links (source token, target token) of each row."""
    if "alignment" not in rows.column_names:
        raise ValueError("these sentences have no column `alignment`: their true alignment is not known")
    return [{(i, j) for i, j in links} for links in rows["alignment"][:]]


def _log_frequencies(run: Run, first: int) -> Tensor:
    """log P of each token at each of the first positions of a training target, from counts plus one: (first, V)."""
    tokenizer = run.objective.target_tokenizer
    counts = torch.ones(first, len(tokenizer))
    for _, y in run.examples("train"):
        for position, token in enumerate([*y, tokenizer.eos_id][:first]):
            counts[position, token] += 1
    return (counts / counts.sum(-1, keepdim=True)).log()
