"""The slider that moves a gap through a text, and its still picture."""

import base64
import re
from html import unescape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from seqbook import viz
from seqbook.data.tokenizer import Tokenizer
from seqbook.models.bert import BERT, BERTConfig
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.runs import System

TEXT = "anna had a key . she put it on the table"


@pytest.fixture
def systems():
    """BERT and GPT, untrained, whose vocabularies give the words different numbers."""
    torch.manual_seed(0)
    plain = Tokenizer.train([TEXT], "word")
    special = Tokenizer.train([TEXT, "the the table"], "word").with_special("[CLS]", "[SEP]", "[MASK]")
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 32}
    bert = BERT(BERTConfig(vocab_size=len(special), **sizes)).eval()
    gpt = GPT(GPTConfig(vocab_size=len(plain), **sizes)).eval()
    for model in (bert, gpt):
        for parameter in model.parameters():
            parameter.data *= 3  # decided, untrained as it is
    return (
        System(bert, Masked(special, MaskedConfig(), max_len=32)),
        System(gpt, Causal(plain, CausalConfig(), max_len=32)),
    )


@torch.no_grad()
def expected(systems, at):
    """What each model predicts for the word `at`, one text at a time."""
    (bert, gpt), words = systems, TEXT.split()
    t = bert.objective.tokenizer
    ids = [t.special_id(name) for name in ["[CLS]", *words, "[SEP]"]]
    ids[at + 1] = t.special_id("[MASK]")
    row = torch.tensor([ids])
    of_bert = bert.model(row, row == t.special_id("[MASK]"))[0].softmax(-1)
    t = gpt.objective.tokenizer
    read = torch.tensor([[t.bos_id, *t.encode(" ".join(words[:at]))]])
    return of_bert, gpt.model(read)[0, -1].softmax(-1)


def test_each_picture_shows_what_both_models_predict(monkeypatch, systems):
    links, real = [], ipywidgets.jslink
    monkeypatch.setattr(ipywidgets, "jslink", lambda *ends: (links.append(ends), real(*ends))[1])
    choice, stack = viz.filling_explorer(*systems, TEXT).children
    assert links == [((choice, "index"), (stack, "selected_index"))]
    words = TEXT.split()
    assert [label for label, _ in choice.options] == [str(i + 1) for i in range(len(words))]
    sizes = set()
    for at, (word, child) in enumerate(zip(words, stack.children, strict=True)):
        assert f"Word {at + 1} of {len(words)} is missing: {word!r}." in unescape(child.value)
        alt = unescape(re.search('alt="(.*?)"', child.value)[1])
        of_bert, of_gpt = expected(systems, at)
        for name, system, chances in (("BERT", systems[0], of_bert), ("GPT", systems[1], of_gpt)):
            best = chances.topk(2)
            first, second = system.objective.tokenizer.tokens(best.indices.tolist())
            shares = f"{first} {best.values[0]:.0%}, {second} {best.values[1]:.0%}, "
            assert re.search(rf"{name}, [a-z]+ sides?: {re.escape(shares)}", alt)
        data = re.search('base64,([^"]*)', child.value)[1]
        sizes.add(Image.open(BytesIO(base64.b64decode(data))).size)
    assert len(sizes) == 1
    assert plt.get_fignums() == []


def test_the_still_picture_shows_the_probability_of_each_word(systems):
    words = TEXT.split()
    ax = viz.filling(*systems, TEXT)
    widths = torch.tensor([bar.get_width() for bar in ax.patches]).unflatten(0, (2, -1))
    for at, word in enumerate(words):
        ids = [system.objective.tokenizer.special_id(word) for system in systems]
        right = torch.stack([chances[i] for chances, i in zip(expected(systems, at), ids, strict=True)])
        torch.testing.assert_close(widths[:, at].float(), right)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["1 anna", "2 had"]
    plt.close("all")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "has 0 words: give 1 to 40"), ("key " * 41, "has 41 words"), ("anna had a dog", "reads '<unk>'")],
)
def test_a_text_that_cannot_be_shown_is_refused(systems, text, message):
    with pytest.raises(ValueError, match=message):
        viz.filling_explorer(*systems, text)
