"""Runs of the toy pairs and small untrained networks, for all tests of measures."""

from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset, DatasetDict

from seqbook.data.tokenizer import Tokenizer
from seqbook.models.bert import BERTConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig
from seqbook.runs import Run

SIZES = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "max_len": 12}


@pytest.fixture
def make_run(pairs):
    """A run on the pairs, in which German word i is English word n − 1 − i: of a given model, or of an untrained RNN."""

    def make(model=None, kind=Run, reverse_source=False, **config):
        tokenizers = [Tokenizer.train([row[side] for row in pairs], "word") for side in ("de", "en")]
        settings = Seq2SeqConfig(source="de", target="en", target_kind="word", reverse_source=reverse_source)
        objective, splits = Seq2Seq(*tokenizers, config=settings, max_len=12), DatasetDict()
        for split, rows in {"train": pairs[:240], "test": pairs[240:]}.items():
            de, en = ([row[side] for row in rows] for side in ("de", "en"))
            n_words = [len(text.split()) for text in de]
            links = [[[i, n - 1 - i] for i in range(n)] for n in n_words]
            splits[split] = Dataset.from_dict({"de": de, "en": en, "alignment": links, **objective.tokenize(de, en)})
        model = model or RNNSeq2Seq(RNNConfig(**SIZES | config))
        return kind(model, objective, splits, [], {}, None)

    return make


@pytest.fixture
def config():
    """Of a small Transformer."""
    return TransformerConfig(
        source_vocab_size=12, target_vocab_size=12, d_model=16, n_layers=2, n_heads=2, d_ff=16, max_len=40
    )


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    return Transformer(config)


@pytest.fixture(scope="session")
def texts():
    return ["Anna had a key. Ben took the key and gave the key to Anna.", "Clara ate a pear."]


@pytest.fixture(scope="session")
def masked(texts):
    """A BERT that is not trained, with the vocabulary of the texts."""
    objective = Masked(MaskedConfig().tokenizers({"text": texts}, {})["tokenizer"], max_len=32)
    torch.manual_seed(0)
    config = BERTConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=2, max_len=32)
    return SimpleNamespace(model=config.build(), objective=objective, splits={"test": {"text": texts}})
