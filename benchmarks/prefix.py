"""A causal decoder, a prefix decoder and an encoder-decoder with about as many parameters, on the same pairs.

Two kinds of pairs of random tokens: a long prompt with a short answer, and a short prompt with a long one. First training
steps (loss on the answer), in tokens of prompt and answer a second. Then seconds to answer one prompt, greedily and with
the cache; no answer ends early. The one stack has one vocabulary for both sides, the encoder-decoder two of half the size.

All three take turns in each round, and a ratio is the median of the rounds' ratios to the encoder-decoder.
"""

import statistics

import torch
from benchmarks.timing import at_hand, spread
from benchmarks.timing import training as steps_of
from torch import Tensor

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.speed import in_turn
from seqbook.generation.decoding import greedy
from seqbook.models.prefix_lm import PrefixLMConfig
from seqbook.models.transformer import TransformerConfig
from seqbook.objectives.batch import Batch
from seqbook.objectives.causal import Causal
from seqbook.objectives.rows import PrefixBatch, collate, row_of
from seqbook.training import TrainingConfig

WORDS = 1_000  # of each side
LENGTHS = {"long prompt, short answer": (112, 12), "short prompt, long answer": (12, 112)}
BATCH_SIZE, BATCHES, ROUNDS = 16, 1, 5
BASE = "encoder-decoder"


def measure() -> list[dict]:
    torch.manual_seed(0)
    stack = PrefixLMConfig(vocab_size=2 * WORDS + 2, n_layers=5, positions="rotary", max_len=128)
    two = TransformerConfig(
        source_vocab_size=WORDS + 2, target_vocab_size=WORDS + 2, d_model=128, n_heads=4, d_ff=224, positions="rotary"
    )
    models = {"causal decoder": stack.build(), "prefix decoder": stack.build(), BASE: two.build()}
    rows = [{"model": name, "params": sum(p.numel() for p in model.parameters())} for name, model in models.items()]
    for kind, (n_prompt, n_answer) in LENGTHS.items():
        pairs = [draw(n_prompt, n_answer) for _ in range(BATCHES)]
        # the loss is that of every objective for text, whose tokenizer is not used
        objective, how = Causal(Tokenizer.train(["unused"], "character"), max_len=128), TrainingConfig(steps=1)
        steps = {
            name: steps_of(model.train(), objective, at_hand([batch_of(name, *pair) for pair in pairs]), how)
            for name, model in models.items()
        }
        tokens = BATCHES * BATCH_SIZE * (n_prompt + n_answer)
        rows += compared(f"training, {kind}", in_turn(steps, ROUNDS), "tokens_per_second", lambda s, n=tokens: n / s)
        answers = {name: answering(name, model.eval(), pairs[0][0][:1], n_answer) for name, model in models.items()}
        rows += compared(f"answering, {kind}", in_turn(answers, ROUNDS), "seconds", lambda s: s)
    return rows


def draw(n_prompt: int, n_answer: int) -> tuple[Tensor, Tensor]:
    """Random prompts and answers, as numbers of words."""
    return torch.randint(WORDS, (BATCH_SIZE, n_prompt)), torch.randint(WORDS, (BATCH_SIZE, n_answer))


def batch_of(name: str, prompts: Tensor, answers: Tensor) -> Batch:
    """What the system reads, and its labels. Two ids come before the words: padding, and the beginning of an answer."""
    if name == BASE:
        answers = answers + 2
        begin = torch.ones_like(answers[:, :1])
        return Batch((prompts + 2, torch.cat([begin, answers[:, :-1]], dim=1)), answers)
    bidirectional = name == "prefix decoder"
    both = zip((prompts + 2).tolist(), (answers + 2 + WORDS).tolist(), strict=True)
    batch = collate([row_of([*prompt, 1], answer, bidirectional=bidirectional) for prompt, answer in both], 0)
    return PrefixBatch(batch.inputs, batch.labels)


def answering(name: str, model: torch.nn.Module, prompt: Tensor, n_answer: int):
    """A call that writes the answer to one prompt."""
    begin = torch.ones(1, 1, dtype=torch.long)
    if name == BASE:
        given: tuple[Tensor, ...] = prompt + 2, begin
    else:
        ids, none = torch.cat([prompt + 2, begin], dim=1), torch.zeros(1, dtype=torch.long)
        given = ids, none, none + (ids.shape[1] if name == "prefix decoder" else 0)
    return lambda: greedy(model, given, max_new=n_answer, stop=[])


def compared(what: str, seconds: dict[str, list[float]], unit: str, of) -> list[dict]:
    """One row per system: its median in `unit`, and how many times the encoder-decoder's time it takes."""
    rows = []
    for name, own in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(own, seconds[BASE], strict=True))
        row = {"measured": what, "model": name, unit: of(statistics.median(own)), "times_encoder_decoder": ratio}
        rows.append(row | {"spread": spread(own)})
    return rows
