import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import seqbook
from seqbook import __main__ as command_line
from seqbook.data.tokenizer import Tokenizer
from seqbook.pretrained import END_OF_TEXT, from_pretrained, load_tokenizer

transformers = pytest.importorskip("transformers")

TEXTS = [
    "Der Hund rennt.\nThe dog runs, and the dog's friend didn't run. ",
    "don't we'll 1234 ???   spaces\t\tand\ttabs",
]
HOSTILE = [
    *TEXTS,
    "",
    " ",
    " leading, trailing ",
    "日本語 עברית emoji 👩‍🚀🏽 \x00 ﬁ é e\u0301 \u2028 \r\n",
    "<|endoftext|>",
    "a<|endoftext|>b <|endoftext|> ",
    "<|endoftext|><|endoftext|>",
    "<|END|> <|endoftext",
]
IDS = torch.tensor([[5, 6, 0, 8, 0], [9, 4, 0, 3, 3]])


def save_gpt2(folder, seed=0, **changes):
    """A small random GPT-2 as transformers saves it."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 30, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 20, "initializer_range": 0.3}
    config = transformers.GPT2Config(**sizes | {"bos_token_id": 0, "eos_token_id": 0} | changes)
    model = transformers.GPT2LMHeadModel(config)
    for parameter in model.parameters():
        if parameter.dim() == 1:  # biases of 0 and gains of 1 would hide a mistake
            torch.nn.init.normal_(parameter, mean=parameter.mean().item(), std=0.3)
    model.eval().save_pretrained(folder)
    return model


@pytest.fixture
def folder(tmp_path):
    save_gpt2(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def edit_config(folder, **changes):
    """Change config.json; None leaves a setting out."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "model.safetensors")


def rename(tensors, rule):
    for name in list(tensors):
        tensors[rule(name)] = tensors.pop(name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"vocab_size": 101, "n_embd": 15, "n_head": 5, "n_layer": 1, "n_positions": 7},
        {"n_embd": 6, "n_head": 1, "n_layer": 3, "n_positions": 33},
        {"n_embd": 7, "n_head": 7, "n_inner": 1},
        {"n_inner": 13, "activation_function": "relu"},
        {"n_inner": 64, "activation_function": "gelu"},
        *({"activation_function": name} for name in ("gelu_fast", "gelu_pytorch_tanh", "gelu_python", "silu", "swish")),
        {"activation_function": "tanh", "resid_pdrop": 0.3},
        {"reorder_and_upcast_attn": True},  # the same in fp32
    ],
    ids=str,
)
def test_the_same_logits(tmp_path, changes):
    theirs = save_gpt2(tmp_path, **changes)
    ours = from_pretrained(tmp_path)
    for length in (1, 5, theirs.config.n_positions):
        ids = torch.randint(0, theirs.config.vocab_size, (3, length))
        torch.testing.assert_close(ours(ids), theirs(ids).logits, rtol=0, atol=1e-5)
    assert ours.config.dropout == changes.get("resid_pdrop", 0.1)
    assert not ours.training
    assert all(p.requires_grad and p.is_contiguous() and p.dtype == torch.float32 for p in ours.parameters())


def test_seqbook_has_it_and_stays_light():
    assert seqbook.from_pretrained is from_pretrained
    with pytest.raises(AttributeError, match="has no attribute 'from_scratch'"):
        _ = seqbook.from_scratch
    check = "import sys, seqbook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_older_files_with_and_without_prefix_and_masks(folder, prefix, masks):
    expected = from_pretrained(folder)(IDS)

    def change(tensors):
        rename(tensors, lambda name: prefix + name.removeprefix("transformer."))
        if masks:
            tensors[f"{prefix}h.0.attn.bias"] = torch.ones(1, 1, 20, 20).tril()
            tensors[f"{prefix}h.1.attn.bias"] = torch.ones(1, 1, 20, 20, dtype=torch.bool).tril()
            tensors[f"{prefix}h.0.attn.masked_bias"] = torch.tensor(-1e4)
            tensors["lm_head.weight"] = tensors[f"{prefix}wte.weight"].clone()

    edit_tensors(folder, change)
    torch.testing.assert_close(from_pretrained(folder)(IDS), expected, rtol=0, atol=0)


def test_an_older_config(folder):
    """What the file leaves out holds as it does in transformers."""
    expected = from_pretrained(folder)(IDS)
    unsaid = ("architectures", "n_inner", "activation_function", "resid_pdrop", "scale_attn_weights")
    edit_config(folder, **dict.fromkeys((*unsaid, "tie_word_embeddings", "layer_norm_epsilon")))
    torch.testing.assert_close(from_pretrained(folder)(IDS), expected, rtol=0, atol=0)


def test_several_files(tmp_path):
    theirs = save_gpt2(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="4KB")
    assert len(list((tmp_path / "parts").glob("model-*.safetensors"))) > 2
    torch.testing.assert_close(from_pretrained(tmp_path / "parts")(IDS), theirs(IDS).logits, rtol=0, atol=1e-5)
    part = sorted((tmp_path / "parts").glob("model-*.safetensors"))[1]
    part.unlink()
    with pytest.raises(ValueError, match=f"has no {part.name}"):
        from_pretrained(tmp_path / "parts")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_fp32(tmp_path, dtype):
    theirs = save_gpt2(tmp_path / "whole").to(dtype)
    theirs.save_pretrained(tmp_path / "half")
    found = from_pretrained(str(tmp_path / "half"))
    torch.testing.assert_close(found(IDS), theirs.float()(IDS).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["BloomForCausalLM"]}, "holds BloomForCausalLM: choose one of GPT2LMHeadModel"),
        (
            {"architectures": ["GPT2ForSequenceClassification"]},
            "holds GPT2ForSequenceClassification: choose one of GPT2LMHeadModel",
        ),
        ({"architectures": None, "model_type": "gpt_neo"}, "holds gpt_neo: choose one of GPT2LMHeadModel"),
        ({"architectures": None, "model_type": None}, "holds None: choose one of GPT2LMHeadModel"),
        ({"model": {"class": "GPTConfig"}, "objective": {}}, r"is a run of seqbook.* seqbook\.runs\.load"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True: only False"),
        ({"scale_attn_weights": False}, "scale_attn_weights=False: only True"),
        ({"add_cross_attention": True}, "add_cross_attention=True: only False"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings=False: only True"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon=1e-06: only 1e-05"),
        ({"activation_function": "mish"}, "activation_function='mish': choose one of relu, tanh"),
        ({"n_head": None}, "n_head=None in config.json: it must be a whole number"),
        ({"n_embd": "16"}, "n_embd='16' in config.json"),
        ({"n_head": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"n_layer": 3}, r"lacks the tensors h\.2\..*\(12 in all\)"),
        ({"n_layer": 1}, r"has, beyond a GPT-2, the tensors h\.1\..*\(12 in all\)"),
        ({"vocab_size": 31}, r"tensor wte.weight is \(30, 16\) of torch.float32, by config.json it must be \(31, 16\)"),
        ({"n_inner": 60}, r"tensor h\.0\.mlp\.c_fc\.weight is \(16, 64\).* must be \(16, 60\)"),
    ],
)
def test_what_we_do_not_have_is_refused_by_name(folder, changes, message):
    edit_config(folder, **changes)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("transformer.h.1.ln_2.bias"), r"lacks the tensors h\.1\.ln_2\.bias \(1 in all\)"),
        (lambda t: t.update({"score.weight": torch.zeros(2, 16)}), r"beyond a GPT-2, the tensors score\.weight \(1"),
        (lambda t: t.update({"transformer.wpe.weight": torch.zeros(16, 20)}), r"wpe.weight is \(16, 20\)"),
        (
            lambda t: t.update({"transformer.h.0.attn.c_proj.weight": torch.zeros(16, 16, dtype=torch.int8)}),
            r"c_proj.weight is \(16, 16\) of torch.int8, .* of floating point",
        ),
        (
            lambda t: t.update({"lm_head.weight": torch.zeros(30, 16)}),
            "lm_head.weight differs from wte.weight, but only tied embeddings can be read",
        ),
    ],
    ids=["missing", "extra", "shape", "dtype", "head"],
)
def test_tensors_that_do_not_fit_are_named(folder, change, message):
    edit_tensors(folder, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


def test_pickled_weights_are_refused_with_a_way_out(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no model.safetensors. Pickled weights .*save_pretrained"):
        from_pretrained(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/model.safetensors"])
def test_an_index_names_files_of_its_own_folder(folder, name):
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"wte.weight": name}}))
    with pytest.raises(ValueError, match=f"has no {name}"):
        from_pretrained(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_file_is_named(folder, file, content):
    (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} is damaged .*download it again"):
        from_pretrained(folder)


def test_a_folder_without_a_config(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json, as in Hugging Face.s layout"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("load", [from_pretrained, load_tokenizer])
@pytest.mark.parametrize("name", ["gpt2-that-is-not-here", "no/such/folder", "/no/such/folder"])
def test_a_name_that_nobody_has(name, load):
    with pytest.raises(
        ValueError, match=rf"no folder {name}, .* be downloaded from the Hugging Face Hub \(.*connect to the network"
    ):
        load(name)


def test_by_name_the_hub_gives_the_folder(folder, monkeypatch):
    asked = []

    def download(name, allow_patterns):
        asked.append(name)
        assert not [pattern for pattern in allow_patterns if pattern.endswith((".bin", ".py"))]
        return str(folder)

    monkeypatch.setattr("seqbook.pretrained.files.snapshot_download", download)
    assert torch.equal(from_pretrained("somebody/small-gpt2")(IDS), from_pretrained(folder)(IDS))
    assert asked == ["somebody/small-gpt2"]


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    """GPT-2's kind of vocabulary, in both layouts: (tokenizer.json), (vocab.json and merges.txt)."""
    import tokenizers

    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS * 3, vocab_size=330, special_tokens=[END_OF_TEXT], show_progress=False)
    two = tmp_path_factory.mktemp("two")
    trained.save_model(str(two))
    one = tmp_path_factory.mktemp("one")
    transformers.GPT2Tokenizer.from_pretrained(two).save_pretrained(one)
    assert (one / "tokenizer.json").is_file()
    assert not (two / "tokenizer.json").exists()
    return {"one": one, "two": two}


@pytest.mark.parametrize("layout", ["one", "two"])
def test_the_same_ids_and_back(bpe, layout):
    theirs, ours = transformers.GPT2Tokenizer.from_pretrained(bpe[layout]), load_tokenizer(bpe[layout])
    assert len(ours) == len(theirs)
    end = theirs.convert_tokens_to_ids(END_OF_TEXT)
    for text in HOSTILE:
        ids = ours.encode(text)
        assert ids == theirs(text, split_special_tokens=True)["input_ids"]
        assert end not in ids
        assert END_OF_TEXT in text or ids == theirs(text)["input_ids"]
        assert ours.decode(ids) == text
        assert ours.decode([end, *ids, end]) == text
    assert ours.encode_batch(HOSTILE) == [ours.encode(text) for text in HOSTILE]
    assert ours.tokens([end]) == [END_OF_TEXT]


def test_the_end_of_text_is_special_even_where_the_file_forgets_it(bpe, tmp_path):
    content = json.loads((bpe["one"] / "tokenizer.json").read_text(encoding="utf-8"))
    content["truncation"] = {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    for token in content["added_tokens"]:
        token["special"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    ours, expected = load_tokenizer(tmp_path), load_tokenizer(bpe["one"])
    for text in HOSTILE:
        assert ours.encode(text) == expected.encode(text)
    assert len(ours.encode(HOSTILE[0])) > 2
    assert ours.decode([ours.backend.token_to_id(END_OF_TEXT)]) == ""


def test_a_folder_without_a_tokenizer(folder, bpe):
    with pytest.raises(ValueError, match=r"no tokenizer, neither tokenizer\.json nor vocab\.json and merges\.txt"):
        load_tokenizer(folder)
    shutil.copy(bpe["two"] / "vocab.json", folder)
    with pytest.raises(ValueError, match="neither tokenizer"):
        load_tokenizer(folder)
    (folder / "merges.txt").write_text("#version: 0.2\nx yy zz\n")
    with pytest.raises(ValueError, match=r"merges\.txt are not the two files of a BPE"):
        load_tokenizer(folder)


def test_a_tokenizer_of_another_kind(tmp_path):
    Tokenizer.train(TEXTS, "word").save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=r"tokenizer\.json is a WordLevel vocabulary: only BPE, WordPiece and Unigram"):
        load_tokenizer(tmp_path)


@pytest.fixture
def generate(tmp_path, bpe, capsys):
    """`generate` with a GPT-2 of transformers: exit status, what it printed, what it complained of."""
    model = save_gpt2(tmp_path / "gpt2", vocab_size=len(load_tokenizer(bpe["one"])), n_positions=60)
    shutil.copy(bpe["one"] / "tokenizer.json", tmp_path / "gpt2")

    def call(*arguments):
        capsys.readouterr()
        status = command_line.main(["generate", str(tmp_path / "gpt2"), *map(str, arguments)])
        return status, *capsys.readouterr()

    call.model = model
    return call


def test_generate_equals_transformers(generate, bpe):
    status, printed, _ = generate("The dog", "Der Hund", "--max-new", 12, "--top-k", 1)
    assert status == 0
    tokenizer, expected = transformers.GPT2Tokenizer.from_pretrained(bpe["one"]), ""
    for text in ("The dog", "Der Hund"):
        ids = tokenizer(text, return_tensors="pt")
        found = generate.model.generate(**ids, do_sample=False, max_new_tokens=12, pad_token_id=0)
        expected += tokenizer.decode(found[0], skip_special_tokens=True) + "\n"
    assert printed == expected


def test_generate_repeats_with_its_seed(generate):
    options = ("--temperature", 1.5, "--top-p", 0.9, "--top-k", 20, "--max-new", 15)
    first, again, other = (generate("The dog", *options, "--seed", seed)[1] for seed in (3, 3, 4))
    assert first == again != other
    assert first.startswith("The dog")
    assert generate("", "--max-new", 3)[0] == 0  # a new text begins


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["The dog", "--beam", 4], r".*continues texts, which has no --beam: leave it out"),
        (["The dog", "--top-k", 0], "top_k=0 must be at least 1"),
        (["The dog", "--top-p", 2], "top_p=2.0 must be above 0 and at most 1"),
        *(
            (["The dog", "--temperature", t], r"temperature=\S+ must be from 0\.001 to 1000: --top-k 1 takes the most")
            for t in (0, -1, 1e-38, 1e-300, 1e39, "inf", "nan")
        ),
        (["The dog", "--max-new", 61], r"prompt 0 has \d tokens, .*no room for max_new=61"),
    ],
)
def test_a_mistake_is_one_line(generate, arguments, message):
    status, printed, errors = generate(*arguments)
    assert (status, printed) == (2, "")
    assert errors.startswith("seqbook: ")
    assert errors.count("\n") == 1
    assert re.match(f"seqbook: {message}", errors)
