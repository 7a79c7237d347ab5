import json
import random

import pytest
import torch
from safetensors.torch import load_file, save_file

from seqbook.pretrained import from_pretrained, load_tokenizer

transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 31, "hidden_size": 15, "num_attention_heads": 5, "num_hidden_layers": 2, "intermediate_size": 23,
    "max_position_embeddings": 19, "initializer_range": 0.3,
}  # fmt: skip
ROBERTA = {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "max_position_embeddings": 21}  # as its real checkpoints
ARCHITECTURES = ("BertForPreTraining", "BertForMaskedLM", "BertModel", "RobertaForMaskedLM")
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def save(folder, architecture, seed=0, **changes):
    """A small random model as transformers saves it."""
    torch.manual_seed(seed)
    kind = transformers.RobertaConfig if architecture.startswith("Roberta") else transformers.BertConfig
    more = ROBERTA if kind is transformers.RobertaConfig else {}
    model = getattr(transformers, architecture)(kind(**SIZES | more | changes)).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:  # biases of 0 and gains of 1 would hide a mistake
            torch.nn.init.normal_(parameter, mean=parameter.mean().item(), std=0.3)
    model.save_pretrained(folder)
    return model


def batch(config, length):
    """Ids with padding at the right, and segments."""
    low, high = config.pad_token_id + 1, config.vocab_size
    ids = torch.randint(low, high, (3, length))
    ids[1, (length + 1) // 2 :] = ids[2, 1:] = config.pad_token_id
    return ids, torch.randint(config.type_vocab_size, (3, length))


def compare(ours, theirs, length):
    """Everything that both say about the tokens of a batch."""
    ids, segments = batch(theirs.config, length)
    real = ids != theirs.config.pad_token_id
    with torch.no_grad():
        found = theirs(ids, attention_mask=real.long(), token_type_ids=segments, output_hidden_states=True)
        pairs = [(ours.hidden(ids, segments)[real], found.hidden_states[-1][real])]
        if hasattr(found, "pooler_output"):
            if found.pooler_output is not None:
                pairs.append((ours.pooled(ids, segments), found.pooler_output))
        elif hasattr(found, "prediction_logits"):
            predictions = ours(ids, real, segments)
            pairs.append((predictions.tokens, found.prediction_logits[real]))
            pairs.append((predictions.next_sentence, found.seq_relationship_logits))
        else:
            pairs.append((ours(ids, real, segments), found.logits[real]))
    for mine, expected in pairs:
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-5)
    return len(pairs)


def edit_config(folder, **changes):
    """Change config.json; None leaves a setting out."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    tensors = change(tensors) or tensors
    save_file({name: t.clone().contiguous() for name, t in tensors.items()}, folder / "model.safetensors")


# ---- The same numbers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"vocab_size": 101, "hidden_size": 7, "num_attention_heads": 7, "num_hidden_layers": 1, "intermediate_size": 1},
        {"hidden_size": 6, "num_attention_heads": 1, "num_hidden_layers": 3, "max_position_embeddings": 33},
        {"layer_norm_eps": 0.1, "type_vocab_size": 3},
        *({"hidden_act": name} for name in ("relu", "gelu_new", "gelu_pytorch_tanh", "silu")),
        {"pad_token_id": 4},
    ],
    ids=str,
)
@every_architecture
def test_the_same_outputs(tmp_path, architecture, changes):
    if architecture == "RobertaForMaskedLM" and "hidden_act" in changes:
        pytest.skip("refused: see below")
    theirs = save(tmp_path, architecture, **changes)
    ours = from_pretrained(tmp_path)
    for length in (1, 5, ours.config.max_len):
        assert compare(ours, theirs, length) == (3 if architecture == "BertForPreTraining" else 2)
    assert not ours.training
    assert all(p.requires_grad and p.is_contiguous() and p.dtype == torch.float32 for p in ours.parameters())
    assert ours.config.dropout == 0.1
    assert ours.config.max_len == theirs.config.max_position_embeddings - (
        theirs.config.pad_token_id + 1 if architecture == "RobertaForMaskedLM" else 0
    )


def test_a_bert_without_a_pooler_has_none(tmp_path):
    torch.manual_seed(0)
    theirs = transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=False).eval()
    theirs.save_pretrained(tmp_path)
    ours = from_pretrained(tmp_path)
    assert compare(ours, theirs, 5) == 1
    with pytest.raises(ValueError, match="this BERT has outputs='hidden', here it needs 'pretraining' or 'pooled'"):
        ours.pooled(torch.tensor([[5]]))


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "BertModel"])
def test_heads_that_the_architecture_does_not_name_are_not_read(tmp_path, architecture):
    """Google's files of BERT hold all heads, and name BertForMaskedLM."""
    whole = save(tmp_path, "BertForPreTraining")
    edit_config(tmp_path, architectures=[architecture])
    getattr(transformers, architecture).from_pretrained(tmp_path)
    ids, segments = batch(whole.config, 5)
    ours, found = from_pretrained(tmp_path), whole(ids, token_type_ids=segments, attention_mask=ids.ne(0).long())
    if architecture == "BertForMaskedLM":
        logits = ours(ids, ids != 0, segments)
        torch.testing.assert_close(logits, found.prediction_logits[ids != 0], rtol=0, atol=1e-5)
    else:
        pooled = whole.cls.seq_relationship(ours.pooled(ids, segments))
        torch.testing.assert_close(pooled, found.seq_relationship_logits, rtol=0, atol=1e-5)


@every_architecture
def test_older_names(tmp_path, architecture):
    theirs = save(tmp_path, architecture)

    def change(tensors):
        prefix = "roberta." if architecture.startswith("Roberta") else "bert."
        old = {}
        for name, t in tensors.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            old[prefix + name if architecture == "BertModel" else name] = t
        old[f"{prefix}embeddings.position_ids"] = torch.arange(19)[None]
        head = "lm_head" if architecture.startswith("Roberta") else "cls.predictions"
        if architecture != "BertModel":
            old[f"{head}.decoder.weight"] = old[f"{prefix}embeddings.word_embeddings.weight"]
            old[f"{head}.decoder.bias"] = old.pop(f"{head}.bias")
        return old

    edit_tensors(tmp_path, change)
    compare(from_pretrained(tmp_path), theirs, 5)


def test_half_precision_becomes_fp32(tmp_path):
    theirs = save(tmp_path / "whole", "BertForMaskedLM").to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "half")
    compare(from_pretrained(tmp_path / "half"), theirs.float(), 5)


# ---- What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key': only 'absolute'"),
        ({"is_decoder": True}, "is_decoder=True: only False"),
        ({"add_cross_attention": True}, "add_cross_attention=True: only False"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings=False: only True"),
        ({"hidden_act": "mish"}, "hidden_act='mish': choose one of relu, tanh"),
        ({"layer_norm_eps": "tiny"}, "layer_norm_eps='tiny' in config.json: it must be a number"),
        (
            {"embedding_size": 8, "rope_theta": 1.0},
            "has embedding_size=8, rope_theta=1.0 in config.json, which no BERT",
        ),
        ({"hidden_size": "15"}, "hidden_size='15' in config.json: it must be a whole number"),
        ({"type_vocab_size": None}, "type_vocab_size=None in config.json"),
        ({"num_attention_heads": 4}, "d_model=15 is not a multiple of n_heads=4"),
        ({"pad_token_id": 31}, "pad_id=31 is outside the vocabulary of 31"),
        ({"num_hidden_layers": 3}, r"lacks the tensors encoder\.layer\.2\..*\(16 in all\)"),
        ({"num_hidden_layers": 1}, r"beyond a BertForMaskedLM, the tensors encoder\.layer\.1\..*\(16 in all\)"),
        (
            {"vocab_size": 32},
            r"cls\.predictions\.bias is \(31,\).* must be \(32,\)|word_embeddings.* must be \(32, 15\)",
        ),
        ({"intermediate_size": 24}, r"intermediate\.dense\.\w+ is .* must be \(24"),
        (
            {"architectures": ["BertForPreTraining"]},
            r"lacks the tensors cls\.seq_relationship\.bias, .*pooler\.dense\.",
        ),
        (
            {"architectures": ["BertForTokenClassification"]},
            "holds BertForTokenClassification: choose one of .*BertModel",
        ),
        ({"architectures": None}, "holds bert: choose one of"),
    ],
    ids=str,
)
def test_what_we_do_not_have_is_refused_by_name(tmp_path, changes, message):
    save(tmp_path, "BertForMaskedLM")
    edit_config(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


def test_robertas_head_has_gelu_whatever_its_blocks_have(tmp_path):
    save(tmp_path, "RobertaForMaskedLM", hidden_act="relu")
    with pytest.raises(ValueError, match="hidden_act='relu': only 'gelu', which RoBERTa's head always has"):
        from_pretrained(tmp_path)


def test_a_head_that_is_missing_is_said_and_not_invented(tmp_path):
    save(tmp_path / "bert", "BertModel")
    edit_config(tmp_path / "bert", architectures=["BertForMaskedLM"])
    with pytest.raises(ValueError, match=r"lacks the tensors cls\.predictions\.bias, .*transform.* \(5 in all\)"):
        from_pretrained(tmp_path / "bert")
    save(tmp_path / "roberta", "RobertaForMaskedLM")
    edit_tensors(tmp_path / "roberta", lambda tensors: {k: t for k, t in tensors.items() if "lm_head" not in k})
    with pytest.raises(ValueError, match=r"lacks the tensors lm_head\.bias, lm_head\.dense\.bias.* \(5 in all\)"):
        from_pretrained(tmp_path / "roberta")


WORDS, HEAD = "bert.embeddings.word_embeddings.weight", "cls.predictions"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.update({"score.weight": torch.zeros(2, 15)}),
            r"beyond a BertForMaskedLM, the tensors score\.weight",
        ),
        (lambda t: t.update({WORDS: torch.zeros(15, 31)}), r"word_embeddings\.weight is \(15, 31\)"),
        (
            lambda t: t.update({"bert.encoder.layer.0.attention.self.value.weight": torch.zeros(15, 14)}),
            r"self\.value\.weight is \(15, 14\) .* must be \(15, 15\)",
        ),
        (
            lambda t: t.update({"bert.encoder.layer.1.output.dense.bias": torch.zeros(15, dtype=torch.int8)}),
            r"output\.dense\.bias is \(15,\) of torch\.int8",
        ),
        (lambda t: t.update({f"{HEAD}.decoder.weight": t[WORDS] + 1}), "only tied embeddings can be read"),
        (lambda t: t.update({f"{HEAD}.decoder.bias": t[f"{HEAD}.bias"] + 1}), "only one bias can be read"),
        (lambda t: {k: v for k, v in t.items() if "key.bias" not in k}, r"lacks .*self\.key\.bias.* \(2 in all\)"),
    ],
    ids=["extra", "shape", "value", "dtype", "decoder", "bias", "missing"],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    save(tmp_path, "BertForMaskedLM")
    edit_tensors(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


# ---- Tokenizers

CORPUS = [
    "The café in Zürich doesn't open before 9:30, does it? Naïve résumés, coöperation!",
    "Anna put the book on the table. Who put it there? 我们在图书馆看书。 日本語 עברית Ελληνικά",
    "unaffordable unaffordable tables tabled running runs ran (see [1], {2}, <3>) $5.00 50% a_b",
]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
HOSTILE = [
    *CORPUS, "", " ", "  two  spaces ", "\t\n\r\n", "\x00\x01 a\x7fb \ufeff", "e\u0301 é É ﬁ İ ß ǅ", "👩‍🚀🏽 \u2028 \u00a0",
    "x" * 250, "中文English混合。", "a" * 99 + " " + "b" * 101, "don't we'll I'm", "[ MASK ]", "##ing ing", "< mask >",
]  # fmt: skip


def texts():
    """Some hundred strings: hostile ones, and pieces of them in any order."""
    rng, alphabet = random.Random(0), sorted(set("".join(HOSTILE) + "ÀÉîõü 。，！？…—-_'\"\u0301\u0308"))
    drawn = ["".join(rng.choices(alphabet, k=rng.randint(1, 40))) for _ in range(200)]
    words = " ".join(CORPUS).split()
    return HOSTILE + drawn + [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(100)]


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory):
    """Folders with BERT's kind of vocabulary: a vocab.txt, and the same with a tokenizer.json."""
    import tokenizers

    def make(layout, **options):
        folder = tmp_path_factory.mktemp(layout)
        trained = tokenizers.BertWordPieceTokenizer(lowercase=options.get("do_lower_case", True), strip_accents=False)
        trained.train_from_iterator(
            CORPUS * 3, vocab_size=300, min_frequency=1, special_tokens=BERT_SPECIAL, show_progress=False
        )
        trained.save_model(str(folder))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | options))
        if layout == "json":
            transformers.BertTokenizer.from_pretrained(folder).save_pretrained(folder)
            (folder / "vocab.txt").unlink()
            assert (folder / "tokenizer.json").is_file()
        return folder

    return make


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """Folders with RoBERTa's kind of vocabulary: vocab.json and merges.txt, and the same as tokenizer.json."""
    import tokenizers

    def make(layout, **options):
        folder = tmp_path_factory.mktemp(layout)
        trained = tokenizers.ByteLevelBPETokenizer()
        trained.train_from_iterator(CORPUS * 3, vocab_size=330, special_tokens=ROBERTA_SPECIAL, show_progress=False)
        trained.save_model(str(folder))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer"} | options))
        if layout == "json":
            transformers.RobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
            (folder / "vocab.json").unlink()
            (folder / "merges.txt").unlink()
        return folder

    return make


def compare_tokenizers(ours, theirs, special):
    assert len(ours) == len(theirs)
    ids_of = [theirs.convert_tokens_to_ids(name) for name in special]
    assert [ours.special_id(name) for name in special] == ids_of
    unk = theirs.unk_token_id
    for text in texts():
        found = ours.encode(text)
        assert found == theirs(text, add_special_tokens=False)["input_ids"], repr(text)
        assert not set(found) & (set(ids_of) - {unk}), repr(text)
    for name in special:  # the one stated difference
        for text in (name, f"a{name}b {name} "):
            found = ours.encode(text)
            assert found == theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            assert not set(found) & (set(ids_of) - {unk}), text
            assert set(theirs(text, add_special_tokens=False)["input_ids"]) & set(ids_of)
    assert ours.decode([*ids_of, *ours.encode("the table"), *ids_of]).strip() == "the table"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", ["txt", "json"])
def test_wordpiece_gives_the_same_ids(wordpiece, layout, options):
    folder = wordpiece(layout, **options)
    compare_tokenizers(load_tokenizer(folder), transformers.BertTokenizer.from_pretrained(folder), BERT_SPECIAL)


def test_the_options_of_wordpiece_do_what_they_say(wordpiece):
    """So that the comparison above can tell one from another."""
    plain, cased = (load_tokenizer(wordpiece("txt", do_lower_case=lower)) for lower in (True, False))
    assert plain.tokens(plain.encode("Café")) == plain.tokens(plain.encode("cafe"))
    assert cased.tokens(cased.encode("Café")) != cased.tokens(cased.encode("café"))
    whole = load_tokenizer(wordpiece("txt", tokenize_chinese_chars=False))
    assert len(whole.encode("我们看书")) < 4 or "##" in whole.tokens(whole.encode("我们看书"))[1]
    assert [plain.tokens([i])[0] for i in plain.encode("我们")] == ["我", "们"]


def test_the_config_counts_more_than_tokenizer_json(wordpiece):
    folder = wordpiece("json")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["normalizer"]["lowercase"] = False
    content["truncation"] = {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    for token in content["added_tokens"]:
        token["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ours = load_tokenizer(folder)
    assert len(ours.encode("the book on the table")) > 2
    assert ours.encode("The TABLE [MASK]") == ours.encode("the table [mask]")
    assert ours.decode([ours.special_id("[MASK]")]) == ""
    (folder / "tokenizer_config.json").unlink()  # an older folder: then the file itself holds
    assert load_tokenizer(folder).encode("TABLE") != load_tokenizer(folder).encode("table")


@pytest.mark.parametrize("options", [{}, {"add_prefix_space": True}], ids=str)
@pytest.mark.parametrize("layout", ["two", "json"])
def test_byte_level_bpe_gives_the_same_ids(byte_level, layout, options):
    folder = byte_level(layout, **options)
    compare_tokenizers(load_tokenizer(folder), transformers.RobertaTokenizer.from_pretrained(folder), ROBERTA_SPECIAL)


def test_a_damaged_vocabulary_is_named(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"vocab\.txt is damaged"):
        load_tokenizer(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\nthe\n")
    with pytest.raises(ValueError, match=r"vocab\.txt has no token \[UNK\], which unknown words become"):
        load_tokenizer(tmp_path)
