"""Part 3, GPT: the effect of the window, bits per character, and how a model learns to recall earlier tokens."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from math import log
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from microworld.reader import reading
from seqbook import metrics, runs
from seqbook.data.tokenizer import SPECIAL_TOKENS
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.nn.mode import evaluating
from seqbook.nn.positions import Positions
from seqbook.nn.record import record
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.recall import Recall, RecallConfig, Rows
from seqbook.training import TrainingConfig, adamw, training_step
from seqbook.training.device import on_cpu, precision

WINDOWS = (1, 2, 4, 8, 16, 32, 64, 127)  # tokens
FAR = 24  # tokens: about two sentences


def by_window(run: runs.Run, windows: Sequence[int] = WINDOWS, n: int = 400) -> dict[str, Any]:
    """The loss (nats per token) at test positions if the model reads only the last w tokens before each of them (C9).

    window: each w; all, far and new: for each w, the mean over `n` random positions of that kind (see `by_mention`), or
    over all of them if there are fewer.
    """
    row, longest = torch.tensor(run.examples("test").ids), max(windows)
    found: dict[str, Any] = {"window": list(windows)}
    for kind, positions in by_mention(run, longest).items():
        order = torch.randperm(len(positions), generator=torch.Generator().manual_seed(0))[:n]
        chosen = torch.tensor(positions)[order]
        before = torch.stack([row[p - longest : p] for p in chosen])  # (N, longest)
        found[kind] = [_loss_after(run.model, before[:, -w:], row[chosen]) for w in windows]
    return found


def by_mention(run: runs.Run, start: int) -> dict[str, list[int]]:
    """Positions of the test texts from `start` on, by what their text contains before them.

    all: every position. The other two are content words (no special token, and no word as frequent as "the") with more
    than 24 tokens of their own text before them. far: the text contains the same word, but not in the last 24 tokens;
    new: the text does not contain it yet.
    """
    bos, counts = run.objective.tokenizer.bos_id, Counter(run.examples("train").ids)
    most = 0.004 * counts.total()
    kinds: dict[str, list[int]] = {"all": [], "far": [], "new": []}
    begin, last = 0, dict[int, int]()
    for p, i in enumerate(run.examples("test").ids):
        if i == bos:
            begin, last = p, {}
        if p >= start:
            kinds["all"].append(p)
            if i >= len(SPECIAL_TOKENS) and counts[i] < most and p - begin > FAR and p - last.get(i, 0) > FAR:
                kinds["far" if i in last else "new"].append(p)
        last[i] = p
    return kinds


def _loss_after(model: nn.Module, before: Tensor, labels: Tensor) -> float:
    """The mean NLL of `labels` (N,), each predicted from its row of `before` (N, w)."""
    device = next(model.parameters()).device
    with torch.no_grad(), evaluating(model):
        logits = torch.cat([model(part.to(device))[:, -1].float().cpu() for part in before.split(200)])
    return F.cross_entropy(logits, labels).item()


def measured(run: runs.Run) -> dict[str, Any]:
    """What the sweep "gpt" publishes: the columns of `by_window` and of `by_temperature`."""
    return by_window(run) | by_temperature(run)


def by_temperature(run: runs.Run, temperatures: Sequence[float] = (0.5, 1.0), n: int = 150) -> dict[str, Any]:
    """What a reader of the micro-world finds in stories that the model continues after their first sentence.

    stories: one dict per temperature, the temperature and the columns of `read_continuations`.
    """
    openings = story_openings(run, n)
    found = []
    for temperature in temperatures:
        stories = run.generate(openings, max_new=100, temperature=temperature)
        found.append({"temperature": temperature} | read_continuations(stories, openings))
    return {"stories": found}


def story_openings(run: runs.Run, n: int = 150) -> list[str]:
    """The first sentences of the first `n` test texts with at least three sentences."""
    return [text.split(".")[0] + "." for text in run.splits["test"]["text"] if text.count(".") >= 3][:n]


def read_continuations(stories: Sequence[str], openings: Sequence[str]) -> dict[str, float]:
    """What a reader of the micro-world finds in stories after their openings. An unfinished last sentence is ignored.

    sentences: how many there are, and parsed: the share of them that the grammar can make; claims: what these sentences
    claim, and kept: the share of claims that do not contradict the story; has and has_kept: the same for the claims on
    who has what.
    """
    first, whole = reading.read_all(openings), reading.read_all(story[: story.rfind(".") + 1] for story in stories)
    sentences, claims = whole.sentences - first.sentences, whole.claims - first.claims
    wrong = Counter(kind for kind, _ in whole.contradictions)
    return {
        "sentences": sentences,
        "parsed": (whole.parsed - first.parsed) / max(1, sentences),
        "claims": claims.total(),
        "kept": 1 - wrong.total() / max(1, claims.total()),
        "has": claims["has"],
        "has_kept": 1 - wrong["has"] / max(1, claims["has"]),
    }


def by_tokens(run: runs.Run) -> dict[str, float]:
    """Bits per character of the test texts, which can be compared between models with different tokenizers.

    Nats per token cannot be compared between tokenizers, because their tokens are not equally long. The end of each text
    is predicted too.
    """
    texts, examples = run.splits["test"]["text"][:], run.examples("test")
    characters, tokens = sum(map(len, texts)), len(examples.ids) - 1
    nats = metrics.mean_nll(run.model, run.objective, examples)
    return {
        "vocab_size": len(run.objective.tokenizer),
        "nats_per_token": nats,
        "characters_per_token": characters / tokens,
        "bits_per_character": nats * tokens / characters / log(2),
    }


def build_recall(
    *, seed: int, n_words: int, n_layers: int = 2, n_heads: int = 1, positions: Positions = "rotary", d_model: int = 64
) -> tuple[GPT, Recall]:
    """An untrained GPT for the task of recall, and its objective."""
    objective = Recall(RecallConfig(n_words=n_words))
    torch.manual_seed(seed)
    sizes = {"d_model": d_model, "n_layers": n_layers, "n_heads": n_heads, "max_len": 2 * objective.config.n_entries}
    return GPTConfig(**objective.sizes(), **sizes, positions=positions).build(), objective


def train_recall(
    model: GPT,
    objective: Recall,
    *,
    seed: int = 0,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    every: int = 25,
    enough: float = 0.99,
) -> list[dict[str, float]]:
    """Train in place until `enough` of the held-out pairs are recalled, at most for `steps` steps.

    The learning rate is constant after 50 steps of warm-up, so that the result does not depend on `steps`. Returns one
    dict per `every` steps: the mean training loss over these steps (nats per label), and the recall of held-out pairs.
    """
    accelerator = Accelerator(mixed_precision=precision(), cpu=on_cpu())
    optimizer = adamw(model, TrainingConfig(steps=steps, learning_rate=learning_rate))
    network, optimizer = accelerator.prepare(model, optimizer)
    train = Rows(steps * batch_size, objective.config, seed=seed)
    held_out = Rows(200, objective.config, seed=seed, held_out=True)
    curve, losses = [], []
    network.train()
    for step in range(1, steps + 1):
        batch = objective.collate([train[i] for i in range((step - 1) * batch_size, step * batch_size)])
        rate = learning_rate * min(1.0, step / 50)
        loss, *_ = training_step(network, objective, batch.to(accelerator.device), optimizer, rate, 1.0, accelerator)
        losses.append(loss)
        if step % every == 0:
            recall = objective.recall(model, held_out)
            curve.append({"step": step, "loss": sum(losses) / len(losses), "recall": recall})
            losses = []
            if recall >= enough:
                break
    return curve


def recall(*, seed: int, steps: int = 3_000, learning_rate: float = 3e-3, **sizes: Any) -> dict[str, Any]:
    """One run of `train_recall` from random weights: its curve, and the step at which it recalls half of the held-out
    pairs.

    half: the first of the measured steps with a recall of 50 % or more (None: not within `steps`); heads: `heads` of the
    trained model, one dict each; without_…: as `without_kinds`.
    """
    model, objective = build_recall(seed=seed, **sizes)
    curve = train_recall(model, objective, seed=seed, steps=steps, learning_rate=learning_rate)
    found = heads(model, objective)
    return without_kinds(model, objective, found) | {
        "params": sum(p.numel() for p in model.parameters()),
        "half": next((row["step"] for row in curve if row["recall"] >= 0.5), None),
        "recall": curve[-1]["recall"],
        "curve": [[row["step"], round(row["loss"], 4), round(row["recall"], 4)] for row in curve],
        "heads": found.round(4).to_dict("records"),
    }


def heads(model: GPT, objective: Recall, n_rows: int = 200) -> pd.DataFrame:
    """What each head attends to in rows of held-out pairs, and the recall without it: one row per head.

    previous: the attention of each y to the token before it, its x; induction: the attention of a repeated x to the
    tokens after its earlier occurrences {cite}`olsson2022context`; without: the recall if the head's output is set to
    0.
    """
    rows = Rows(n_rows, objective.config, seed=1, held_out=True)
    batch = objective.collate(list(rows)).to(next(model.parameters()).device)
    (ids,) = batch.inputs
    with torch.no_grad(), record(model) as maps:
        model(ids)
    repeated = batch.labels != IGNORED
    after = (
        ids[:, :, None] == F.pad(ids, (1, -1), value=-1)[:, None, :]
    )  # (B, query, key): the key follows the same token
    found = []
    for layer, (weights,) in enumerate(maps.values()):
        previous = weights.diagonal(-1, 2, 3)[..., ::2].mean((0, 2))  # (H,): from each y, which stand at 1, 3, …
        induction = (weights * after[:, None]).sum(-1)  # (B, H, T)
        induction = (induction * repeated[:, None]).sum((0, 2)) / repeated.sum()  # (H,)
        for head in range(weights.shape[1]):
            with without_heads(model, [(layer, head)]):
                without = objective.recall(model, rows)
            scores = {"previous": previous[head].item(), "induction": induction[head].item(), "without": without}
            found.append({"layer": layer, "head": head, **scores})
    return pd.DataFrame(found)


def without_kinds(model: GPT, objective: Recall, found: pd.DataFrame, n_rows: int = 200) -> dict[str, float]:
    """The recall without all heads of one kind: the heads with a score over 0.5 in `heads`, and all other heads."""
    rows = Rows(n_rows, objective.config, seed=1, held_out=True)
    kinds = {kind: found[found[kind] > 0.5] for kind in ("previous", "induction")}
    kinds["others"] = found[found[["previous", "induction"]].max(axis=1) <= 0.5]
    recalls = {}
    for kind, chosen in kinds.items():
        with without_heads(model, list(zip(chosen["layer"], chosen["head"], strict=True))):
            recalls[f"without_{kind}"] = objective.recall(model, rows)
    return recalls


@contextmanager
def without_heads(model: nn.Module, heads: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Inside the `with` block, the output of each of these heads, given as (layer, head), is 0."""
    with ExitStack() as stack:
        for layer, head in heads:
            attention = model.stack.blocks[layer].attention
            part = slice(head * attention.d_head, (head + 1) * attention.d_head)
            stack.enter_context(attention.out.register_forward_pre_hook(partial(_switch_off, part)))
        yield


def _switch_off(part: slice, _: nn.Module, given: tuple[Tensor]) -> Tensor:
    """The input of an attention's output layer, (B, T, H·D), with 0 in the columns of one head."""
    heads = given[0].clone()
    heads[..., part] = 0
    return heads
