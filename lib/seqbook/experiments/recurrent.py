"""Part 1: what is measured on a trained translation system for the claims C1 to C4, and gradients through time.

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

from seqbook import metrics
from seqbook.data.loader import in_length_order
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
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
            batch = _batch(run, [examples[i] for i in chosen])
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
    tokenizer = run.objective.source_tokenizer
    first_word = tokenizer.special_id("<unk>") + 1
    n_words, columns = len(tokenizer) - first_word, []
    with evaluating(run.model):
        source_ids, target_ids = _batch(run, examples).inputs
        before = run.model(source_ids, target_ids).softmax(-1)
        for j in range(source_ids.shape[1]):
            here, further = source_ids[:, j], torch.randint(1, n_words, (len(examples),), generator=draw)
            other = first_word + (here - first_word + further.to(here.device)) % n_words
            changed = source_ids.clone()
            changed[:, j] = torch.where(here == tokenizer.pad_id, here, other)
            after = run.model(changed, target_ids).softmax(-1)
            columns.append((after - before).abs().sum(-1).cpu() / 2)
    changes = torch.stack(columns, dim=-1)  # (B, T, S)
    return [_as_written(run, rows[: len(y) + 1, : len(x)]) for rows, (x, y) in zip(changes, examples, strict=True)]


def influence_on_translations(run: Run, rows: Dataset, seed: int = 0) -> dict[str, float]:
    """C2: the mean `influence` of a word `on_own`, the characters that translate it, and `on_others`, all other target
    tokens, and their `ratio`. The ratio is 1 if every word influences all outputs equally.

    Raises:
        ValueError: a corpus whose true alignment is not known.
    """
    own, others = [], []
    for changes, links in zip(influence(run, rows, seed), _links(rows), strict=True):
        linked = torch.zeros_like(changes, dtype=torch.bool)
        for i, j in links:
            linked[j, i] = True
        own.append(changes[linked])
        others.append(changes[~linked])
    on_own, on_others = torch.cat(own).mean(), torch.cat(others).mean()
    return {"on_own": on_own.item(), "on_others": on_others.item(), "ratio": (on_own / on_others).item()}


# ---- C4: attention and alignment


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
            run.model(*_batch(run, chosen).inputs)
        weights = torch.cat(maps["attention"], dim=1)  # (B, T, S), from one forward, or from one per target token
        for w, (x, y) in zip(weights.cpu(), chosen, strict=True):
            found.append(_as_written(run, w[: len(y) + 1, : len(x)]))
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
        for example, links, learned in zip(run.objective.examples(rows), _links(rows), learned_weights, strict=True):
            batch = _batch(run, [example])
            state = model.encode(batch.inputs[0])
            start = tuple(t.transpose(0, 1).contiguous() for t in (state.hidden, state.cell))
            s, _ = model.decoder(model.embedding(batch.inputs[1]), start)  # (1, T, D)
            true = torch.zeros_like(learned)  # (T, S)
            for j, i in links:
                true[i, j] = 1.0
            linked = true.sum(-1) > 0
            largest = F.one_hot(learned.argmax(-1), learned.shape[-1]).float()
            for name, weights in {"learned": learned, "largest": largest, "true alignment": true}.items():
                share = _as_written(run, weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)).to(s.device)
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
    tokenizer, draw = run.objective.source_tokenizer, torch.Generator().manual_seed(seed)
    first_word = tokenizer.special_id("<unk>") + 1
    n_words, found = len(tokenizer) - first_word, [[] for _ in range(longest + 1)]
    with evaluating(run.model):
        for source, _ in run.objective.examples(rows):
            ids = run.objective.collate_sources([source]).to(next(run.model.parameters()).device)
            m = ids.shape[1]
            changed = ids.repeat(m, 1)  # (S, S), row j with another word at position j
            further = torch.randint(1, n_words, (m,), generator=draw).to(ids.device)
            changed.diagonal().copy_(first_word + (ids[0] - first_word + further) % n_words)
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
    true = _links(rows)
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


def _batch(run: Run, examples: list) -> Batch:
    return run.objective.collate(examples).to(next(run.model.parameters()).device)


def _as_written(run: Run, table: Tensor) -> Tensor:
    """A table whose columns are source tokens in the order of the text, also where the encoder read them backwards."""
    return table.flip(1) if run.objective.config.reverse_source else table


def _links(rows: Dataset) -> list[set[tuple[int, int]]]:
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
