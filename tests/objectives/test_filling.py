"""Texts with blanks, against transformers' own networks and by hand."""

import pytest
import torch
import transformers

from seqbook.data.tokenizer import Tokenizer
from seqbook.models.bert import BERTConfig
from seqbook.objectives.filling import CLS, MASK, SEP, fill, special_ids
from seqbook.pretrained import from_pretrained, load_tokenizer

TEXTS = ["Anna put the book on the table.", "Tom saw a dog in the garden.", "the dog put a hat on Anna."]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


@pytest.fixture
def tokenizer():
    return Tokenizer.train(TEXTS, "word").with_special(CLS, SEP, MASK)


@pytest.fixture
def model(tokenizer):
    built = BERTConfig(vocab_size=len(tokenizer), d_model=16, n_layers=2, n_heads=2, max_len=12).build()
    for parameter in built.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.6)
    return built


def by_hand(model, tokenizer, ids):
    """The probabilities of ordinary tokens at each mask of this one text."""
    row, mask = torch.tensor([ids]), tokenizer.special_id(MASK)
    with torch.no_grad():
        logits = model.eval()(row, row == mask)
    logits[:, sorted(special_ids(tokenizer))] = -torch.inf
    return logits.softmax(-1)


def test_each_mask_has_its_likeliest_words_whatever_else_is_in_the_batch(model, tokenizer):
    texts = ["Anna put the [MASK] on the table.", "[MASK] saw [MASK]", "[MASK]"]
    the, saw = tokenizer.encode("Anna put the"), tokenizer.encode("saw")
    cls, sep, mask = (tokenizer.special_id(name) for name in (CLS, SEP, MASK))
    rows = [[*the, mask, *tokenizer.encode("on the table.")], [mask, *saw, mask], [mask]]
    for found, ids in zip(fill(model, tokenizer, texts, top=3), rows, strict=True):
        expected = by_hand(model, tokenizer, [cls, *ids, sep])
        assert len(found.words) == ids.count(mask)
        best = iter(expected.argmax(-1).tolist())
        assert found.text == tokenizer.decode([next(best) if i == mask else i for i in ids])
        for words, row in zip(found.words, expected, strict=True):
            top = row.topk(3)
            assert [word for word, _ in words] == tokenizer.tokens(top.indices.tolist())
            assert [p for _, p in words] == pytest.approx(top.values.tolist(), rel=1e-4)


def test_no_special_token_is_among_the_words(model, tokenizer):
    ((words,),) = (found.words for found in fill(model, tokenizer, ["a [MASK]"], top=1_000))
    assert len(words) == len(tokenizer) - len(special_ids(tokenizer)) == len(tokenizer) - 7
    assert sum(p for _, p in words) == pytest.approx(1, abs=1e-5)


def test_a_text_of_the_largest_length_and_one_more(model, tokenizer):
    assert fill(model, tokenizer, ["a " * 9 + MASK])[0].text.startswith("a a")
    for text in ("a " * 10 + MASK, " ".join([MASK] * 11)):
        with pytest.raises(
            ValueError, match=r" is 13 tokens long with its special tokens: it must have at most max_len=12"
        ):
            fill(model, tokenizer, [text])


def test_a_text_without_a_mask_is_named(model, tokenizer):
    with pytest.raises(ValueError, match=r"'a dog' has no \[MASK\]: write it where a word is missing"):
        fill(model, tokenizer, ["a [MASK]", "a dog"])


@pytest.mark.parametrize("others", [(), (CLS, SEP), ("<s>", "</s>")])
def test_a_vocabulary_without_a_mask(model, others):
    with pytest.raises(ValueError, match=r"the vocabulary has neither \[MASK\] nor <mask>"):
        fill(model, Tokenizer.train(TEXTS, "word").with_special(*others), ["a [MASK]"])


def test_top_below_one(model, tokenizer):
    with pytest.raises(ValueError, match="top=0 must be at least 1"):
        fill(model, tokenizer, ["a [MASK]"], top=0)


def test_a_bert_without_the_head(model, tokenizer):
    config = BERTConfig(vocab_size=len(tokenizer), d_model=16, n_layers=1, n_heads=2, outputs="hidden")
    with pytest.raises(ValueError, match="this BERT has outputs='hidden', here it needs 'pretraining' or 'masked'"):
        fill(config.build(), tokenizer, ["a [MASK]"])


def test_a_bert_of_hugging_face(tmp_path):
    words = ["[PAD]", "[UNK]", CLS, SEP, MASK, "anna", "put", "the", "book", "##s", "on", "table", "."]
    (tmp_path / "vocab.txt").write_text("".join(word + "\n" for word in words))
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=16, initializer_range=0.5, **SIZES)
    theirs = transformers.BertForMaskedLM(config).eval()
    theirs.save_pretrained(tmp_path)

    (found,) = fill(from_pretrained(tmp_path), load_tokenizer(tmp_path), ["Anna put the [MASK] on books."], top=4)
    ids = torch.tensor([[words.index(word) for word in f"{CLS} anna put the {MASK} on book ##s . {SEP}".split()]])
    with torch.no_grad():
        logits = theirs(ids).logits[0, 4]
    logits[:5] = -torch.inf
    top = logits.softmax(-1).topk(4)
    assert [p for _, p in found.words[0]] == pytest.approx(top.values.tolist(), rel=1e-3)
    assert [word for word, _ in found.words[0]] == [words[i] for i in top.indices.tolist()]
    assert found.text.replace(" ", "") == f"annaputthe{words[top.indices[0]]}onbooks."


def test_a_roberta_has_the_space_inside_the_word(tmp_path):
    tokenizer = Tokenizer.train(TEXTS * 3, "bpe", 300).with_special("<s>", "</s>", "<mask>")
    tokenizer.save(tmp_path / "tokenizer.json")
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=40, pad_token_id=0, initializer_range=0.5, **SIZES
    )
    theirs = transformers.RobertaForMaskedLM(config).eval()
    theirs.save_pretrained(tmp_path)

    (found,) = fill(from_pretrained(tmp_path), load_tokenizer(tmp_path), ["Anna put the <mask> on."], top=1)
    start, end, mask = (tokenizer.special_id(name) for name in ("<s>", "</s>", "<mask>"))
    before, after = tokenizer.encode("Anna put the"), tokenizer.encode(" on.")
    with torch.no_grad():
        logits = theirs(torch.tensor([[start, *before, mask, *after, end]])).logits[0, len(before) + 1]
    logits[sorted(special_ids(tokenizer))] = -torch.inf
    best = int(logits.argmax())
    assert found.text == tokenizer.decode([*before, best, *after]).strip()
    assert found.words[0][0] == (
        tokenizer.decode([best]).strip(),
        pytest.approx(logits.softmax(-1).max().item(), rel=1e-3),
    )
