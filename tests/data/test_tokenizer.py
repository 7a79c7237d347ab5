import json

import pytest
import tokenizers

from seqbook.data.tokenizer import SPECIAL_TOKENS, Tokenizer, load_tokenizers

PAD, BOS, EOS, UNK = range(4)  # in every vocabulary that is trained here
ENGLISH = [
    "Anna's teacher, who met Tom, didn't leave.",
    "Why was the key lost?",
    "Two new cars!",
    "We'll sing, I'm fine.",
]
CHINESE = ["昨天，医生在公园里见过李明。", "你把钥匙放在哪儿了？", "他比我高。"]
ANYTHING = [
    "Zwei Männer\nim Café…",
    "emoji 👩‍🚀🏽 and\ttabs  and  spaces ",
    "日本語 עברית \x00 ﬁ é e\u0301",
    " leading",
]
CASES = {"word": ENGLISH, "character": [*CHINESE, "a b\nc"], "bpe": ANYTHING}


@pytest.fixture(params=CASES)
def kind(request):
    return request.param


@pytest.fixture
def tokenizer(kind):
    return Tokenizer.train(CASES[kind], kind, vocab_size=400)


def test_round_trip(tokenizer, kind):
    for text in CASES[kind]:
        ids = tokenizer.encode(text)
        assert UNK not in ids
        assert tokenizer.decode(ids) == text
        assert len(tokenizer.tokens(ids)) == len(ids)


def test_a_file_with_a_byte_order_mark(tokenizer, kind, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    content = (tmp_path / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(b"\xef\xbb\xbf" + content)
    (loaded,) = load_tokenizers(tmp_path).values()
    assert loaded.encode_batch(CASES[kind]) == tokenizer.encode_batch(CASES[kind])


def test_unknown_words_by_another_name():
    model = tokenizers.models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]")
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    assert Tokenizer(backend).unknown(["ab \u2603 a", "ac"]) == ["\u2603", "ac"]


def test_bytes_spell_what_was_never_seen():
    tokenizer = Tokenizer.train(["a b"], "bpe", vocab_size=260)
    for text in ANYTHING + CHINESE + ENGLISH:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_what_a_token_is():
    word = Tokenizer.train(ENGLISH, "word")
    assert word.tokens(word.encode("Anna's key, lost?")) == ["Anna", "'", "s", "key", ",", "lost", "?"]
    both = Tokenizer.train(["Chinese: 他在，是吗？ Yes."], "word")
    assert both.tokens(both.encode("Chinese: 他在，")) == ["Chinese", ":", "他", "在", "，"]
    assert both.decode(both.encode("Chinese: 他在，是吗？ Yes.")) == "Chinese: 他在，是吗？ Yes."
    character = Tokenizer.train(CHINESE, "character")
    assert character.tokens(character.encode("他在哪儿？")) == list("他在哪儿？")


def test_special_tokens_come_first_in_every_vocabulary(tokenizer):
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.special_id("<unk>")) == (PAD, BOS, EOS, UNK)
    assert tokenizer.tokens([PAD, BOS, EOS, UNK]) == list(SPECIAL_TOKENS)


def test_decoding_leaves_special_tokens_out(tokenizer, kind):
    ids = tokenizer.encode(CASES[kind][0])
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == CASES[kind][0]


@pytest.mark.parametrize("saved", [False, True])
def test_no_text_can_produce_a_special_token(kind, saved, tmp_path):
    hostile = ["<eos>", "a <pad> b", "<bos><eos><unk><pad>", "x<eos>y", " <eos> "]
    tokenizer = Tokenizer.train(hostile * 50 + CASES[kind], kind, vocab_size=400)
    if saved:
        tokenizer.save(tmp_path / "t.json")
        tokenizer = Tokenizer.load(tmp_path / "t.json")
    for ids in [*map(tokenizer.encode, hostile), *tokenizer.encode_batch(hostile)]:
        assert ids
        assert min(ids) > UNK


def test_special_tokens_can_be_added(tokenizer, kind, tmp_path):
    grown = tokenizer.with_special("<delimiter>", "<extract>")
    ids = [grown.special_id(name) for name in ("<delimiter>", "<extract>")]
    assert ids == [len(tokenizer), len(tokenizer) + 1]
    assert len(grown) == len(tokenizer) + 2
    grown.save(tmp_path / "t.json")
    for again in (grown, Tokenizer.load(tmp_path / "t.json")):
        assert again.encode(CASES[kind][0]) == tokenizer.encode(CASES[kind][0])
        assert not set(ids) & set(again.encode(f"<extract> {CASES[kind][0]}<delimiter><extract>"))
        assert again.decode([ids[0], *again.encode(CASES[kind][0]), ids[1]]) == CASES[kind][0]
    with pytest.raises(ValueError, match="has a token '<eos>' already"):
        tokenizer.with_special("<eos>")
    with pytest.raises(ValueError, match="has no token '<extract>': add it"):
        tokenizer.special_id("<extract>")


def test_words_can_be_added(tokenizer, kind, tmp_path):
    special = tokenizer.with_special("<extract>")
    text = "Zebra Xaver, Zebra 鸟"
    grown = special.with_words([CASES[kind][0], text])
    parts = {"word": ["Zebra", "Xaver", ",", "鸟"], "character": dict.fromkeys(text), "bpe": []}[kind]
    new = [part for part in parts if tokenizer.encode(part) == [UNK]]
    assert grown.tokens(range(len(special), len(grown))) == new  # each once, in the order of the texts
    grown.save(tmp_path / "t.json")
    for again in (grown, Tokenizer.load(tmp_path / "t.json")):
        assert again.encode(CASES[kind][0]) == tokenizer.encode(CASES[kind][0])
        assert again.special_id("<extract>") == special.special_id("<extract>")
        assert UNK not in again.encode(text)
        assert not {special.special_id("<extract>"), 0, 1, 2} & set(again.encode("<extract> ☃<pad>"))
    assert grown.with_words([text]).backend.to_str() == grown.backend.to_str()


def test_unknown_becomes_unk(kind):
    if kind == "bpe":
        pytest.skip("bytes spell everything")
    tokenizer = Tokenizer.train(CASES[kind], kind)
    assert tokenizer.encode("☃") == [UNK]


def test_a_batch_is_its_texts_one_by_one(tokenizer, kind):
    assert tokenizer.encode_batch(CASES[kind]) == [tokenizer.encode(text) for text in CASES[kind]]


def test_saved_and_loaded_is_the_same(tokenizer, kind, tmp_path):
    path = tmp_path / "new" / "t.json"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    json.loads(path.read_text(encoding="utf-8"))
    assert len(loaded) == len(tokenizer)
    for text in CASES[kind]:
        assert loaded.encode(text) == tokenizer.encode(text)
        assert loaded.decode(loaded.encode(text)) == text


def test_training_is_deterministic(tokenizer, kind):
    again = Tokenizer.train(CASES[kind], kind, vocab_size=400)
    assert again.tokens(range(len(again))) == tokenizer.tokens(range(len(tokenizer)))


def test_vocab_size_is_the_most():
    assert len(Tokenizer.train(CHINESE, "character", vocab_size=9)) == 9
    assert len(Tokenizer.train(ANYTHING, "bpe", vocab_size=262)) == 262


@pytest.mark.parametrize(("small", "least"), [("word", 5), ("character", 5), ("bpe", 260)])
def test_a_vocabulary_without_room(small, least):
    Tokenizer.train(["a"], small, vocab_size=least)
    with pytest.raises(ValueError, match=f"vocab_size={least - 1} is too small for a {small} .* {least} or more"):
        Tokenizer.train(["a"], small, vocab_size=least - 1)


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_no_text(texts):
    with pytest.raises(ValueError, match="no text"):
        Tokenizer.train(texts, "word")


@pytest.mark.parametrize("method", ["decode", "tokens"])
@pytest.mark.parametrize("wrong", [-1, 1_000_000])
def test_ids_outside_the_vocabulary(tokenizer, method, wrong):
    with pytest.raises(ValueError, match=rf"\[{wrong}\] are outside the vocabulary of {len(tokenizer)} tokens"):
        getattr(tokenizer, method)([4, wrong])


def test_a_vocabulary_may_have_its_special_tokens_elsewhere_or_none(tmp_path):
    """As pretrained ones do: BART pads with 1, GPT-2 has no padding at all."""
    vocab = {"<s>": 0, "<pad>": 1, "a": 2, "</s>": 3}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    other = Tokenizer.load_bpe(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert (other.pad_id, other.special_id("</s>")) == (1, 3)
    for name in ("bos_id", "eos_id"):
        with pytest.raises(ValueError, match=f"no token '<{name[:3]}>': add it"):
            getattr(other, name)


def test_the_tokenizers_of_a_folder_by_name(tokenizer, kind, tmp_path):
    for name in ("source_tokenizer", "tokenizer"):
        tokenizer.save(tmp_path / f"{name}.json")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    found = load_tokenizers(tmp_path)
    assert set(found) == {"source_tokenizer", "tokenizer"}
    assert all(one.encode(CASES[kind][0]) == tokenizer.encode(CASES[kind][0]) for one in found.values())
    assert load_tokenizers(tmp_path / "none") == {}


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no tokenizer at .*gone\.json"):
        Tokenizer.load(tmp_path / "gone.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00"])
def test_a_broken_file(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.json is not a tokenizer's JSON"):
        Tokenizer.load(tmp_path / "broken.json")


def test_a_file_cut_in_half(tmp_path, tokenizer):
    path = tmp_path / "half.json"
    tokenizer.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"half\.json is not"):
        Tokenizer.load(path)


@pytest.mark.parametrize("kind", ["word", "character"])
def test_an_accent_may_be_a_character_of_its_own(kind):
    composed, apart = "caf\u00e9 au lait", "cafe\u0301 au lait"
    for seen, typed in ((composed, apart), (apart, composed)):
        tokenizer = Tokenizer.train([seen], kind)
        assert tokenizer.encode(typed) == tokenizer.encode(seen)
        assert tokenizer.unknown([typed]) == []
    grown = Tokenizer.train(["au lait"], "word").with_words([apart])
    assert UNK not in grown.encode(composed)


def test_what_is_unknown():
    assert Tokenizer.train(["a b"], "word").unknown(["a c b", "d c"]) == ["c", "d"]
    assert Tokenizer.train(["ab"], "character").unknown(["a\u00e9b\u4f60"]) == ["\u00e9", "\u4f60"]
    assert Tokenizer.train(["a b"], "bpe", vocab_size=260).unknown(["\u4f60"]) == []
