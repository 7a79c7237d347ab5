"""Folders that are not quite as transformers saves them today: read as meant, or refused by one clear line. All families."""

import json
import re
import shutil

import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file

from seqbook import __main__ as command_line
from seqbook.pretrained import END_OF_TEXT, from_pretrained, load_tokenizer
from seqbook.pretrained.generation import with_tokenizer

transformers = pytest.importorskip("transformers")

CORPUS = ["Anna put the book on the table.", "The dog runs, and the cat sleeps in the garden."]
BERT = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 12}
T5 = {"d_model": 16, "d_kv": 4, "num_heads": 2, "d_ff": 12, "num_layers": 2, "decoder_start_token_id": 0}
BART = {f"{stack}_{size}": n for stack in ("encoder", "decoder") for size, n in (("layers", 2), ("ffn_dim", 12))}
BART |= {"d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 60}
SIZES = {
    "GPT2LMHeadModel": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 60},
    "BertForMaskedLM": BERT,
    "RobertaForMaskedLM": BERT | {"type_vocab_size": 1, "max_position_embeddings": 62},
    "T5ForConditionalGeneration": T5,
    "BartForConditionalGeneration": BART,
}
LAYER = {  # a bias, or T5's gain, of the second layer; a part of its name
    "GPT2LMHeadModel": "h.1.mlp.c_fc.bias",
    "BertForMaskedLM": "encoder.layer.1.output.dense.bias",
    "RobertaForMaskedLM": "encoder.layer.1.output.dense.bias",
    "T5ForConditionalGeneration": "encoder.block.1.layer.0.layer_norm.weight",
    "BartForConditionalGeneration": "encoder.layers.1.fc2.bias",
}
SPECIAL = {
    "GPT2LMHeadModel": [END_OF_TEXT],
    "BertForMaskedLM": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "RobertaForMaskedLM": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    "T5ForConditionalGeneration": ["<pad>", "</s>", "<unk>"],
    "BartForConditionalGeneration": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
}
MARKS = {"BertForMaskedLM": "[MASK]", "T5ForConditionalGeneration": "<extra_id_0>"}
every_family = pytest.mark.parametrize("family", SIZES)


def save(folder, family, architecture=None, **changes):
    """A small random model as transformers saves it."""
    torch.manual_seed(0)
    kind = getattr(transformers, architecture or family)
    model = kind(kind.config_class(**{"vocab_size": 30} | SIZES[family] | changes))
    for parameter in model.parameters():  # biases of 0 and gains of 1 would hide a mistake
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.3)
    model.eval().save_pretrained(folder)
    return model


def save_tokenizer(folder, family):
    """A small vocabulary of the family's kind; returns its size."""
    if family == "BertForMaskedLM":
        trained = tokenizers.BertWordPieceTokenizer()
        trained.train_from_iterator(CORPUS, 120, 1, special_tokens=SPECIAL[family], show_progress=False)
        trained.save_model(str(folder))
    elif family == "T5ForConditionalGeneration":
        trained = tokenizers.Tokenizer(tokenizers.models.Unigram())
        trained.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        trainer = tokenizers.trainers.UnigramTrainer(
            vocab_size=60, special_tokens=SPECIAL[family], unk_token="<unk>", show_progress=False
        )
        trained.train_from_iterator(CORPUS * 5, trainer)
        vocab = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
        vocab += [(f"<extra_id_{i}>", 0.0) for i in reversed(range(4))]
        transformers.T5Tokenizer(vocab=vocab, extra_ids=4).save_pretrained(folder)
    else:
        trained = tokenizers.ByteLevelBPETokenizer()
        trained.train_from_iterator(CORPUS * 3, 290, special_tokens=SPECIAL[family], show_progress=False)
        trained.save_model(str(folder))
    return len(load_tokenizer(folder))


def edit(file, **changes):
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | changes))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    changed = change(tensors) or tensors
    save_file({name: t.clone().contiguous() for name, t in changed.items()}, folder / "model.safetensors")


def outputs(model):
    ids = torch.tensor([[5, 6, 7, 8], [9, 4, 3, 3]])
    if hasattr(model, "masked_head"):
        return model(ids, ids > 3)
    return model(ids, ids) if hasattr(model, "encode") else model(ids)


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- Weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@every_family
def test_a_value_that_is_not_finite_is_named_with_its_layer(tmp_path, family, value):
    save(tmp_path, family)

    def change(tensors):
        (name,) = (name for name in tensors if name.endswith(LAYER[family]))
        tensors[name].view(-1)[3] = value

    edit_tensors(tmp_path, change)
    with pytest.raises(ValueError, match="NaN or infinite") as error:
        from_pretrained(tmp_path)
    assert LAYER[family] in one_line(error)
    assert "1 of " in one_line(error)


@every_family
def test_of_several_such_layers_the_first_is_named(tmp_path, family):
    save(tmp_path, family)
    second = LAYER[family].partition("1.")[0] + "1."  # h.1., encoder.layer.1., …

    def spoil(tensors):
        for name, t in tensors.items():
            if any(part in name for part in (second, "decoder", "lm_head", "ln_f", "cls")):
                t.fill_(torch.nan)

    edit_tensors(tmp_path, spoil)
    with pytest.raises(ValueError, match="NaN or infinite") as error:
        from_pretrained(tmp_path)
    assert second in one_line(error)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_too_and_in_any_of_several_files(tmp_path, dtype):
    model = save(tmp_path / "whole", "GPT2LMHeadModel").to(dtype)
    model.transformer.h[1].ln_2.bias.data[0] = torch.inf
    model.save_pretrained(tmp_path / "parts", max_shard_size="4KB")
    with pytest.raises(ValueError, match=r"model-\d.*: the tensor transformer\.h\.1\.ln_2\.bias has 1 of 16 values"):
        from_pretrained(tmp_path / "parts")


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module.", "_fsdp_wrapped_module.", "_forward_module."],
)
@every_family
def test_weights_of_a_compiled_model_or_of_one_on_several_gpus(tmp_path, family, prefix):
    save(tmp_path, family)
    expected = outputs(from_pretrained(tmp_path))
    edit_tensors(tmp_path, lambda tensors: {prefix + name: t for name, t in tensors.items()})
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)


def test_a_part_that_was_compiled(tmp_path):
    save(tmp_path, "GPT2LMHeadModel")
    expected = outputs(from_pretrained(tmp_path))
    edit_tensors(tmp_path, lambda tensors: {n.replace("h.1.", "h.1._orig_mod."): t for n, t in tensors.items()})
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)
    edit_tensors(tmp_path, lambda tensors: tensors | {f"module.{name}": t for name, t in tensors.items()})
    with pytest.raises(ValueError, match=r"both with and without the prefix _orig_mod\. or module\."):
        from_pretrained(tmp_path)


@every_family
def test_any_other_prefix_is_named(tmp_path, family):
    save(tmp_path, family)
    edit_tensors(tmp_path, lambda tensors: {f"net.{name}": t for name, t in tensors.items()})
    with pytest.raises(ValueError, match=r"lacks the tensors .*, and has, beyond a .*, the tensors .*net\.") as error:
        from_pretrained(tmp_path)
    one_line(error)


@pytest.mark.parametrize(
    ("family", "bare"),
    [
        ("GPT2LMHeadModel", "GPT2Model"),
        ("T5ForConditionalGeneration", "T5Model"),
        ("BartForConditionalGeneration", "BartModel"),
    ],
)
def test_a_model_without_its_head_has_the_tied_one(tmp_path, family, bare):
    save(tmp_path, family, bare)
    assert not any("lm_head" in name or "transformer." in name for name in load_file(tmp_path / "model.safetensors"))
    ids = torch.tensor([[5, 6, 7, 8]])
    theirs = getattr(transformers, family).from_pretrained(tmp_path)
    expected = theirs(ids) if family == "GPT2LMHeadModel" else theirs(input_ids=ids, decoder_input_ids=ids)
    ours = from_pretrained(tmp_path)
    found = ours(ids) if family == "GPT2LMHeadModel" else ours(ids, ids)
    torch.testing.assert_close(found, expected.logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "name", "copy"),
    [
        ("GPT2LMHeadModel", "transformer.wte.weight", "lm_head.weight"),
        ("BertForMaskedLM", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
        ("RobertaForMaskedLM", "lm_head.bias", "lm_head.decoder.bias"),
        ("T5ForConditionalGeneration", "shared.weight", "decoder.embed_tokens.weight"),
        ("BartForConditionalGeneration", "model.shared.weight", "lm_head.weight"),
    ],
)
def test_of_two_names_of_one_tensor_a_file_may_have_either(tmp_path, family, name, copy):
    save(tmp_path, family)
    expected = outputs(from_pretrained(tmp_path))
    edit_tensors(tmp_path, lambda tensors: tensors | {copy: tensors[name]})
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)
    edit_tensors(tmp_path, lambda tensors: {n: t for n, t in tensors.items() if n != name})
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)


def test_a_roberta_without_its_head(tmp_path):
    theirs, ids = save(tmp_path, "RobertaForMaskedLM", "RobertaModel"), torch.tensor([[5, 6, 7, 8]])
    ours = from_pretrained(tmp_path)
    torch.testing.assert_close(ours.hidden(ids), theirs(ids).last_hidden_state, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.pooled(ids), theirs(ids).pooler_output, rtol=0, atol=1e-5)


# ---- config.json


@every_family
def test_an_attribute_of_an_unexpected_type_is_one_line_or_changes_nothing(tmp_path, family):
    save(tmp_path, family)
    file = tmp_path / "config.json"
    whole, expected, refused = json.loads(file.read_text()), outputs(from_pretrained(tmp_path)), {}
    for name in whole:
        for value in (None, [], {}, ["gelu"], "x", -1, 0.5, True, float("nan"), 10**12):
            if type(value) is type(whole[name]):
                continue
            file.write_text(json.dumps(whole | {name: value}))
            try:
                found = from_pretrained(tmp_path)
            except ValueError as error:
                refused[name] = str(error)
            else:
                torch.testing.assert_close(outputs(found), expected)
    assert "architectures" in refused
    assert len(refused) >= 6
    assert [text for text in refused.values() if "\n" in text or not text.startswith(str(tmp_path))] == []


@every_family
def test_architectures_may_be_plain_text(tmp_path, family):
    save(tmp_path, family)
    expected = outputs(from_pretrained(tmp_path))
    edit(tmp_path / "config.json", architectures=family)
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)
    edit(tmp_path / "config.json", architectures=[family, family])
    with pytest.raises(ValueError, match=rf"holds \['{family}', '{family}'\]: choose one of"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("GPT2LMHeadModel", {"activation_function": ["gelu"]}, r"activation_function=\['gelu'\]: choose one of"),
        ("GPT2LMHeadModel", {"resid_pdrop": None}, "resid_pdrop=None in config.json: it must be a number"),
        ("GPT2LMHeadModel", {"n_inner": "12"}, "n_inner='12' in config.json: it must be a whole number"),
        ("BertForMaskedLM", {"hidden_dropout_prob": "0.1"}, "hidden_dropout_prob='0.1' in config.json"),
        ("BertForMaskedLM", {"layer_norm_eps": float("nan")}, "layer_norm_eps=nan in config.json"),
        ("BertForMaskedLM", {"num_hidden_layers": True}, "num_hidden_layers=True in config.json"),
        ("T5ForConditionalGeneration", {"feed_forward_proj": ["relu"]}, r"feed_forward_proj=\['relu'\]: choose one of"),
        ("T5ForConditionalGeneration", {"num_layers": None, "num_decoder_layers": None}, "num_layers=None"),
        ("T5ForConditionalGeneration", {"tie_word_embeddings": "no"}, "tie_word_embeddings='no' in .* true or false"),
        ("GPT2LMHeadModel", {"n_head": 3}, "has a config.json that describes no network .d_model=16 is not a multiple of"),
        ("BertForMaskedLM", {"pad_token_id": 999}, "has a config.json that describes no network .pad_id=999 is outside"),
        ("BartForConditionalGeneration", {"dropout": 1.5}, "dropout=1.5 in config.json: it must be a number from 0 to"),
    ],
)  # fmt: skip
def test_which_attribute_is_wrong_is_said(tmp_path, family, changes, message):
    save(tmp_path, family)
    edit(tmp_path / "config.json", **changes)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


@every_family
def test_a_byte_order_mark_is_no_damage(tmp_path, family):
    save(tmp_path, family)
    expected = outputs(from_pretrained(tmp_path))
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text, encoding="utf-8-sig")
    assert torch.equal(outputs(from_pretrained(tmp_path)), expected)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 5000, '{"weight_map": []}', '{"weight_map": {"a": 1}}', "{}"])
def test_a_damaged_index_is_named(tmp_path, content):
    save(tmp_path, "GPT2LMHeadModel")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.safetensors\.index\.json is damaged .*download it again") as error:
        from_pretrained(tmp_path)
    one_line(error)


# ---- Tokenizers


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("GPT2LMHeadModel", "GPT2Tokenizer"),
        ("RobertaForMaskedLM", "RobertaTokenizer"),
        ("BertForMaskedLM", "BertTokenizer"),
    ],
)
def test_added_tokens_are_read_from_either_file(tmp_path, family, kind):
    size = save_tokenizer(tmp_path, family)
    added = {"<new>": size, "zebra": size + 1}
    decoder = {str(i): {"content": name, "lstrip": False, "special": i == size} for name, i in added.items()}
    texts = ["The <new> dog", "a zebra runs", "<new>zebra<new>", "zebras Zebra"]
    for file, content in (("added_tokens", added), ("tokenizer_config", {"added_tokens_decoder": decoder})):
        (tmp_path / f"{file}.json").write_text(json.dumps(content))
        ours, theirs = load_tokenizer(tmp_path), getattr(transformers, kind).from_pretrained(tmp_path)
        assert len(ours) == len(theirs) == size + 2
        assert [ours.special_id(name) for name in added] == [size, size + 1]
        for text in texts:
            split = {"split_special_tokens": True} if file == "tokenizer_config" else {}
            assert ours.encode(text) == theirs(text, add_special_tokens=False, **split)["input_ids"], text
        (tmp_path / f"{file}.json").unlink()


@pytest.mark.parametrize("added", [{"<new>": 7}, {"<new>": 999}, {"<new>": "x"}, {"<new>": None}])
def test_an_added_token_with_a_wrong_id_is_named(tmp_path, added):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(ValueError, match="gives the added token '<new>' the id") as error:
        load_tokenizer(tmp_path)
    one_line(error)


@pytest.mark.parametrize("layout", ["two", "json"])
@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(("family", "kind"), [("GPT2LMHeadModel", "GPT2Tokenizer"), ("BartForConditionalGeneration", "BartTokenizer")])  # fmt: skip
def test_the_space_before_a_text(tmp_path, family, kind, layout, value):
    save_tokenizer(tmp_path, family)
    edit(tmp_path / "tokenizer_config.json", add_prefix_space=value)
    theirs = getattr(transformers, kind).from_pretrained(tmp_path)
    if layout == "json":
        theirs.save_pretrained(tmp_path / "json")
    ours = load_tokenizer(tmp_path if layout == "two" else tmp_path / "json")
    for text in (*CORPUS, "dog", " dog"):
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("GPT2LMHeadModel", "add_prefix_space"),
        ("BertForMaskedLM", "do_lower_case"),
        ("BertForMaskedLM", "strip_accents"),
    ],
)
def test_a_setting_that_is_not_true_or_false_is_named(tmp_path, family, name):
    save_tokenizer(tmp_path, family)
    edit(tmp_path / "tokenizer_config.json", **{name: "yes"})
    with pytest.raises(ValueError, match=f"{name}='yes' in tokenizer_config.json: it must be true or false"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("family", ["GPT2LMHeadModel", "RobertaForMaskedLM"])
def test_merges_that_are_not_whole_are_said(tmp_path, family, kept):
    save_tokenizer(tmp_path, family)
    lines = (tmp_path / "merges.txt").read_text().splitlines(keepends=True)
    (tmp_path / "merges.txt").write_text("".join(lines[: round(kept * len(lines))]))
    with pytest.raises(ValueError, match="its merges are not whole, download them again") as error:
        load_tokenizer(tmp_path)
    one_line(error)


def test_merges_inside_a_tokenizer_json_too(tmp_path):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    transformers.GPT2Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "one")
    content = json.loads((tmp_path / "one" / "tokenizer.json").read_text())
    content["model"]["merges"] = []
    (tmp_path / "one" / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="with 0 merges"):
        load_tokenizer(tmp_path / "one")


@pytest.mark.parametrize("order", [sorted, lambda lines: lines[::-1]])
def test_merges_in_another_order_are_said(tmp_path, order):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    version, *lines = (tmp_path / "merges.txt").read_text().splitlines()
    (tmp_path / "merges.txt").write_text("\n".join([version, *order(lines)]))
    with pytest.raises(
        ValueError, match=r"merges '.+' and '.+' before it has made them: .* not in their order"
    ) as error:
        load_tokenizer(tmp_path)
    one_line(error)


def test_an_id_without_a_token_is_named(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL["BertForMaskedLM"], "a", "a", "b"]))
    with pytest.raises(ValueError, match="no token for the id 5"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "file", ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json"]
)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]"])
def test_a_damaged_file_of_a_tokenizer_is_one_line(tmp_path, file, content):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged|merges|not a tokenizer") as error:
        load_tokenizer(tmp_path)
    one_line(error)


@pytest.mark.parametrize("file", ["tokenizer_config", "special_tokens_map"])
@pytest.mark.parametrize(
    ("names", "added"),
    [
        ({"pad_token": "<p>"}, ["<p>"]),
        ({"pad_token": "<p>", "additional_special_tokens": ["<b>", "<a>", "dog"]}, ["<p>", "<b>", "<a>"]),
        ({"bos_token": "<b>", "pad_token": "<p>", "extra_special_tokens": ["<z>"]}, ["<b>", "<p>", "<z>"]),
        ({"extra_special_tokens": {"image_token": "<z>"}}, ["<z>"]),
    ],
)
@pytest.mark.parametrize(("family", "kind"), [("GPT2LMHeadModel", "GPT2Tokenizer"), ("BertForMaskedLM", "BertTokenizer")])  # fmt: skip
def test_special_tokens_that_only_the_settings_name_are_added(tmp_path, family, kind, names, added, file):
    save_tokenizer(tmp_path, family)
    edit(tmp_path / f"{file}.json", **names)
    ours, theirs = load_tokenizer(tmp_path), getattr(transformers, kind).from_pretrained(tmp_path)
    assert len(ours) == len(theirs)
    assert [ours.special_id(name) for name in added] == [theirs.convert_tokens_to_ids(name) for name in added]
    assert ours.decode([ours.special_id(name) for name in added]) == ""


@pytest.mark.parametrize(
    ("family", "file"),
    [
        ("GPT2LMHeadModel", "vocab.json"),
        ("GPT2LMHeadModel", "merges.txt"),
        ("GPT2LMHeadModel", "tokenizer_config.json"),
        ("BertForMaskedLM", "vocab.txt"),
        ("T5ForConditionalGeneration", "tokenizer.json"),
    ],
)
@pytest.mark.parametrize("marks", [1, 2])
def test_a_byte_order_mark_in_the_file_of_a_tokenizer(tmp_path, family, file, marks):
    save_tokenizer(tmp_path, family)
    edit(tmp_path / "tokenizer_config.json")
    expected = load_tokenizer(tmp_path).backend.get_vocab()
    (tmp_path / file).write_bytes(marks * b"\xef\xbb\xbf" + (tmp_path / file).read_bytes())
    assert load_tokenizer(tmp_path).backend.get_vocab() == expected


def test_a_damaged_file_with_a_byte_order_mark_is_named_where_it_lies(tmp_path):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    (tmp_path / "vocab.json").write_bytes(b"\xef\xbb\xbf{")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'vocab.json'} and {tmp_path / 'merges.txt'} are not")):
        load_tokenizer(tmp_path)


def test_a_prompt_from_a_file_of_windows_is_the_text_alone(gpt2, main):
    alone, of_a_file = (main("generate", gpt2, text, "--max-new", 3) for text in ("Anna put", "\ufeffAnna put\r"))
    assert alone[0] == 0
    assert of_a_file == alone


def test_merges_are_not_dropped_as_in_training(tmp_path):
    save_tokenizer(tmp_path, "GPT2LMHeadModel")
    transformers.GPT2Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "one")
    expected = load_tokenizer(tmp_path).encode(CORPUS[0])
    content = json.loads((tmp_path / "one" / "tokenizer.json").read_text())
    edit(tmp_path / "one" / "tokenizer.json", model=content["model"] | {"dropout": 0.5})
    tokenizer = load_tokenizer(tmp_path / "one")
    assert [tokenizer.encode(CORPUS[0]) for _ in range(5)] == [expected] * 5


# ---- A model with its tokenizer


@pytest.fixture
def gpt2(tmp_path):
    """A GPT-2 with its tokenizer in one folder, both of transformers."""
    folder = tmp_path / "gpt2-of-mine"
    folder.mkdir()
    size = save_tokenizer(folder, "GPT2LMHeadModel")
    save(folder, "GPT2LMHeadModel", vocab_size=size, bos_token_id=0, eos_token_id=0)
    return folder


@pytest.fixture
def main(capsys):
    def call(*arguments):
        capsys.readouterr()
        return command_line.main(list(map(str, arguments))), *capsys.readouterr()

    return call


@every_family
def test_ids_that_the_tokenizer_does_not_have_are_never_chosen(tmp_path, family, main):
    size = save_tokenizer(tmp_path, family)
    save(tmp_path, family, vocab_size=size + 52)

    def prefer(tensors):  # those ids above all others, whatever the text
        for t in tensors.values():
            if t.dim() == 2 and len(t) == size + 52:
                t[size:] *= 50

    edit_tensors(tmp_path, prefer)
    if family == "GPT2LMHeadModel":
        for options in (("--top-k", 1), ("--seed", 3)):
            status, printed, errors = main("generate", tmp_path, "The dog", "--max-new", 12, *options)
            assert status == 0, errors
            assert len(printed) > len("The dog\n")
    else:
        status, printed, errors = main("fill", tmp_path, f"The {MARKS.get(family, '<mask>')} runs", "--top", 3)
        assert status == 0, errors
        assert "The" in printed or family == "BartForConditionalGeneration" or family == "BertForMaskedLM"
        words = [line.split() for line in printed.splitlines()[1:]]
        assert words
    whole = from_pretrained(tmp_path)
    cut = with_tokenizer(whole, tmp_path).model
    assert cut.config.vocab_size == size
    assert not cut.training
    assert torch.equal(outputs(cut), outputs(whole)[..., :size])


def test_tokens_that_the_model_does_not_have_are_named(gpt2, main, caplog):
    edit(gpt2 / "tokenizer_config.json", pad_token="<p>")  # without resizing the model, as many do
    status, printed, _ = main("generate", gpt2, "The dog", "--max-new", 3)
    assert (status, len(printed) > len("The dog\n")) == (0, True)
    size = from_pretrained(gpt2).config.vocab_size
    (found,) = [record.message for record in caplog.records]
    assert (
        found
        == f"{gpt2} has {size + 1} tokens in its tokenizer and {size} in its model: no text with '<p>' can be read"
    )


@pytest.mark.parametrize("file", ["config", "generation_config"])
@pytest.mark.parametrize("many", [False, True])
def test_the_token_that_ends_a_text_is_the_one_that_the_files_name(gpt2, main, file, many):
    how = ("generate", gpt2, "The dog", "--top-k", 1, "--max-new", 12)
    tokenizer = load_tokenizer(gpt2)
    model = transformers.GPT2LMHeadModel.from_pretrained(gpt2)
    prompt = torch.tensor([tokenizer.encode("The dog")])
    new = model.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0)[0].tolist()
    new = new[prompt.shape[1] :]
    end = new[4]
    edit(gpt2 / f"{file}.json", eos_token_id=[end, 1] if many else end)
    if file == "config":
        (gpt2 / "generation_config.json").unlink()
    stopped = new[: min(new.index(i) for i in (end, 1) if i in new and (many or i == end))]
    assert main(*how)[1] == tokenizer.decode([*prompt[0].tolist(), *stopped]) + "\n"


@pytest.mark.parametrize("value", ["0", [0, "x"], {"a": 1}, 1.5])
def test_an_end_that_is_no_id_is_named(gpt2, main, value):
    edit(gpt2 / "generation_config.json", eos_token_id=value)
    status, printed, errors = main("generate", gpt2, "The dog")
    assert (status, printed, errors.count("\n")) == (2, "", 1)
    assert "has eos_token_id=" in errors


@pytest.mark.parametrize("family", ["T5ForConditionalGeneration", "BartForConditionalGeneration"])
def test_an_answer_with_another_end_is_refused(tmp_path, family, main):
    size = save_tokenizer(tmp_path, family)
    save(tmp_path, family, vocab_size=size)
    text = f"The {MARKS.get(family, '<mask>')} runs"
    assert main("fill", tmp_path, text)[0] == 0
    edit(tmp_path / "generation_config.json", eos_token_id=7)
    status, _, errors = main("fill", tmp_path, text)
    assert (status, errors.count("\n")) == (2, 1)
    assert "eos_token_id=[7]: only" in errors


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "dog", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"dog": {"id": "dog", "ids": [9], "tokens": ["dog"]}},
}


@pytest.mark.parametrize(
    ("settings", "template", "first", "last"),
    [
        ({"add_bos_token": True}, False, 0, None),
        ({"add_bos_token": True, "bos_token": "The"}, False, "The", None),
        ({"add_eos_token": True}, False, None, 0),
        ({}, True, 9, None),  # what tokenizer.json says itself
    ],
)
def test_the_tokens_around_each_text(gpt2, main, settings, template, first, last):
    how = ("generate", gpt2, "The dog", "--top-k", 1, "--max-new", 8)
    without = main(*how)[1]
    if template:
        transformers.GPT2Tokenizer.from_pretrained(gpt2).save_pretrained(gpt2)
        edit(gpt2 / "tokenizer.json", post_processor=TEMPLATE)
    edit(gpt2 / "tokenizer_config.json", **settings)
    theirs = transformers.GPT2Tokenizer.from_pretrained(gpt2)
    ids = theirs("The dog", return_tensors="pt")
    first = theirs.convert_tokens_to_ids(first) if isinstance(first, str) else first
    assert first in (None, ids["input_ids"][0, 0])
    assert last in (None, ids["input_ids"][0, -1])
    model = transformers.GPT2LMHeadModel.from_pretrained(gpt2)
    found = model.generate(**ids, do_sample=False, max_new_tokens=8, pad_token_id=0)[0]
    assert main(*how)[1] == theirs.decode(found, skip_special_tokens=True) + "\n" != without


@pytest.mark.parametrize("file", ["config", "generation_config"])
def test_the_token_that_begins_an_empty_text(gpt2, main, file):
    if file == "config":
        (gpt2 / "generation_config.json").unlink()
    edit(gpt2 / f"{file}.json", bos_token_id=40)
    model, tokenizer = transformers.GPT2LMHeadModel.from_pretrained(gpt2), load_tokenizer(gpt2)
    found = model.generate(do_sample=False, max_new_tokens=8, pad_token_id=0)[0].tolist()
    assert found[0] == 40
    assert main("generate", gpt2, "", "--top-k", 1, "--max-new", 8)[1] == tokenizer.decode(found) + "\n"


def test_options_of_generation_that_are_not_applied_are_named(gpt2, main, caplog):
    main("generate", gpt2, "The dog")
    assert caplog.text == ""
    edit(gpt2 / "generation_config.json", repetition_penalty=1.5, bad_words_ids=[[3]], temperature=0.5)
    assert main("generate", gpt2, "The dog")[0] == 0
    (found,) = [record.message for record in caplog.records]
    assert found.endswith(
        "has bad_words_ids=[[3]], repetition_penalty=1.5 in generation_config.json, which is not applied"
    )


@pytest.mark.parametrize(
    ("family", "spoilt"), [*((family, "a layer") for family in SIZES), ("GPT2LMHeadModel", "the embedding")]
)
def test_finite_weights_that_are_too_large_are_named_with_their_layer(tmp_path, family, main, spoilt):
    save(tmp_path, family, vocab_size=save_tokenizer(tmp_path, family))

    def change(tensors):
        of_layer = (t for name, t in tensors.items() if name.endswith(LAYER[family]))
        largest = max(tensors.values(), key=lambda t: t.numel())
        (next(of_layer) if spoilt == "a layer" else largest).fill_(3e38)

    edit_tensors(tmp_path, change)
    command, text = "fill", f"The {MARKS.get(family, '<mask>')} runs"
    if family == "GPT2LMHeadModel":
        command, text = "generate", "The dog"
    status, printed, errors = main(command, tmp_path, text)
    assert (status, printed, errors.count("\n")) == (2, "", 1)
    where = {"a layer": r"blocks\.1\.", "the embedding": r"blocks\.0\.attention_norm"}[spoilt]
    assert re.match(rf"seqbook: the layer \S*{where}\S* computes values that are NaN or infinite", errors)


@every_family
def test_what_a_vocabulary_lacks_is_named(tmp_path, family, main):
    save(tmp_path, family, vocab_size=save_tokenizer(tmp_path, family))
    status, _, errors = main("fill", tmp_path, f"The \u2603 {MARKS.get(family, '<mask>')} runs")
    if family == "GPT2LMHeadModel":
        status, _, errors = main("fill", tmp_path, "The \u2603 [MASK] runs")
    name = {"BertForMaskedLM": "[UNK]", "T5ForConditionalGeneration": "<unk>"}.get(family)  # of bytes, others lack none
    expected = f"seqbook: not in the vocabulary, and read as {name}: '\u2603'\n" if name else ""
    assert (status, errors) == (0, expected)


@pytest.mark.parametrize("command", ["generate", "fill"])
def test_a_folder_that_is_called_as_a_model_of_the_hub(tmp_path, monkeypatch, main, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    status, printed, errors = main(command, "gpt2", "a [MASK]")
    assert (status, printed, errors.count("\n")) == (2, "", 1)
    for part in ("the folder gpt2 has no result.json", "no config.json", "openai-community/gpt2"):
        assert part in errors
    for load in (from_pretrained, load_tokenizer):
        with pytest.raises(ValueError, match=r"the folder gpt2 has no .*openai-community/gpt2"):
            load("gpt2")


@pytest.mark.parametrize("family", ["T5ForConditionalGeneration", "BartForConditionalGeneration"])
def test_what_fills_in_gaps_continues_no_text(tmp_path, family, main):
    save(tmp_path, family, vocab_size=save_tokenizer(tmp_path, family))
    status, _, errors = main("generate", tmp_path, "The dog")
    assert (status, errors.count("\n")) == (2, 1)
    assert "which continues no text: use fill" in errors


def test_a_folder_may_be_copied_without_its_tokenizer(gpt2, main, tmp_path):
    shutil.copytree(gpt2, tmp_path / "bare", ignore=shutil.ignore_patterns("vocab*", "merges*"))
    status, _, errors = main("generate", tmp_path / "bare", "The dog")
    assert (status, errors.count("\n")) == (2, 1)
    assert "has no tokenizer" in errors


def test_a_text_that_is_not_utf_8_is_one_line(gpt2, main):
    status, printed, errors = main("generate", gpt2, "The \udcff dog")
    assert (status, printed, errors.count("\n")) == (2, "", 1)
    assert "the text has a byte that is not UTF-8, after 'The '" in errors
