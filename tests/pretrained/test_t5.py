"""T5 of transformers and ours: the same logits, the same answers, and one clear error for what we do not have."""

import itertools
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from seqbook import __main__ as command_line
from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.pretrained import from_pretrained, load_tokenizer

transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 31, "d_model": 15, "d_kv": 4, "num_heads": 3, "d_ff": 23, "num_layers": 2, "n_positions": 40,
    "relative_attention_num_buckets": 10, "relative_attention_max_distance": 20, "decoder_start_token_id": 0,
}  # fmt: skip
V1_1 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
HEAD = "lm_head.weight"


def save(folder, seed=0, untied=False, **changes):
    """A small random T5 as transformers saves it. untied: with an output weight of its own, as version 1.1 has it; a
    model of transformers 5 that was not loaded from a file never has one."""
    torch.manual_seed(seed)
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**SIZES | changes))
    for name, parameter in model.named_parameters():  # gains of 1 would hide a mistake, and so would small vectors
        torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.3)
    assert model.lm_head.weight is model.shared.weight
    model.save_pretrained(folder)
    if untied:
        edit_tensors(folder, lambda tensors: tensors.update({HEAD: torch.randn(31, 15)}))
        model = transformers.T5ForConditionalGeneration.from_pretrained(folder)
        assert model.lm_head.weight is not model.shared.weight
    return model.eval()


def edit_config(folder, **changes):
    """Change config.json; None leaves a setting out."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    tensors = {name: t.clone().contiguous() for name, t in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def batch(source_len, target_len, vocab_size=31):
    """Sources with padding at the right, and targets that begin with padding's id."""
    source, target = torch.randint(1, vocab_size, (3, source_len)), torch.randint(1, vocab_size, (3, target_len))
    source[1, (source_len + 1) // 2 :] = source[2, 1:] = target[:, 0] = 0
    return source, target


@torch.no_grad()
def compare(ours, theirs, *lengths):
    source, target = batch(*lengths, theirs.config.vocab_size)
    mask = (source != 0).long()
    expected = theirs(input_ids=source, attention_mask=mask, decoder_input_ids=target, use_cache=False).logits
    torch.testing.assert_close(ours(source, target), expected, rtol=0, atol=1e-5)

    # With a cache, ours against theirs with one.
    cache, memory = None, theirs.get_encoder()(input_ids=source, attention_mask=mask)
    logits, state = ours.prefill(source, target[:, :1])
    for step in range(target.shape[1]):
        found = theirs(
            encoder_outputs=memory,
            attention_mask=mask,
            decoder_input_ids=target[:, step : step + 1],
            past_key_values=cache,
            use_cache=True,
        )
        cache = found.past_key_values
        torch.testing.assert_close(logits, found.logits[:, -1], rtol=0, atol=1e-5)
        # theirs with a cache and without one differ by as much on some processors
        torch.testing.assert_close(logits, expected[:, step], rtol=0, atol=3e-5)
        if step + 1 < target.shape[1]:
            logits, state = ours.decode(target[:, step + 1], state)


# ---- The same numbers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        V1_1,
        V1_1 | {"untied": True},
        {"untied": True},
        {"num_decoder_layers": 1, "num_layers": 3, "d_model": 7, "num_heads": 1, "d_kv": 9},
        {"relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "vocab_size": 101},
        {"layer_norm_epsilon": 0.1, "dropout_rate": 0.3},
        *({"feed_forward_proj": name} for name in ("gelu", "gated-relu", "gated-silu", "gated-gelu_new")),
    ],
    ids=str,
)
def test_the_same_logits_with_and_without_a_cache(tmp_path, changes):
    theirs = save(tmp_path, **changes)
    ours = from_pretrained(tmp_path)
    for lengths in ((1, 1), (5, 4), (40, 3), (3, 40)):
        compare(ours, theirs, *lengths)
    assert ours.config.max_len == 40
    assert ours.config.tied is (changes.get("tie_word_embeddings", True) and not changes.get("untied"))
    assert ours.config.dropout == changes.get("dropout_rate", 0.1)
    assert not ours.training
    assert all(p.requires_grad and p.is_contiguous() and p.dtype == torch.float32 for p in ours.parameters())


def test_the_four_ways_to_write_the_output_layer(tmp_path):
    """In transformers' files, what config.json says of tied embeddings is not what the weights are."""
    for untied in (False, True):
        folder = tmp_path / str(untied)
        save(folder, untied=untied, **V1_1)
        outputs = []
        for said in (
            {"tie_word_embeddings": False, "scale_decoder_outputs": None},  # the files of version 4, and the Hub's
            {"tie_word_embeddings": True, "scale_decoder_outputs": False},  # version 5
            {"tie_word_embeddings": True, "scale_decoder_outputs": None},  # T5 of 2019
            {"tie_word_embeddings": None, "scale_decoder_outputs": None},
        ):
            edit_config(folder, **said)
            theirs, ours = (
                transformers.T5ForConditionalGeneration.from_pretrained(folder).eval(),
                from_pretrained(folder),
            )
            compare(ours, theirs, 5, 4)
            torch.manual_seed(0)
            outputs.append(ours(*batch(5, 4)))
        assert torch.equal(outputs[0], outputs[1])
        assert torch.equal(outputs[2], outputs[3])
        assert not torch.allclose(outputs[0], outputs[2], atol=0.1)


@pytest.mark.parametrize("prefix", ["encoder", "decoder"])
def test_the_shared_embedding_by_its_other_names(tmp_path, prefix):
    theirs = save(tmp_path)
    edit_tensors(tmp_path, lambda t: t.update({f"{prefix}.embed_tokens.weight": t.pop("shared.weight")}))
    compare(from_pretrained(tmp_path), theirs, 5, 4)


def test_older_files(tmp_path):
    """The first ones have a table for cross-attention, which nothing reads; what a config leaves out has T5's default."""
    sizes = {"relative_attention_num_buckets": 32, "relative_attention_max_distance": 128}
    theirs = save(tmp_path, **sizes)
    table = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    edit_tensors(
        tmp_path, lambda t: t.update({table: torch.randn(32, 3), "encoder.embed_tokens.weight": t["shared.weight"]})
    )
    left_out = [*sizes, "n_positions", "num_decoder_layers", "feed_forward_proj", "dropout_rate", "pad_token_id"]
    edit_config(tmp_path, **dict.fromkeys([*left_out, "decoder_start_token_id", "layer_norm_epsilon"]))
    ours = from_pretrained(tmp_path)
    compare(ours, theirs, 5, 4)
    assert ours.config.max_len == 512


@pytest.mark.parametrize("changes", [{}, V1_1 | {"untied": True}], ids=["v1.0", "v1.1"])
def test_the_same_answers(tmp_path, changes):
    """Greedy, and the best of each beam. Several tokens take turns to end an answer, because a random model ends few."""
    theirs = save(tmp_path, seed=3, **changes)
    ours, (source, target), lengths = from_pretrained(tmp_path), batch(9, 1), []
    how = {"input_ids": source, "attention_mask": (source != 0).long(), "max_new_tokens": 12, "do_sample": False}
    for stop in ([1], [4], [12], [22], [26], [4, 12, 26]):
        expected = [answer(ids, stop) for ids in theirs.generate(**how, eos_token_id=stop).tolist()]
        assert greedy(ours, (source, target), max_new=12, stop=stop) == expected
        for beams, length_penalty in ((3, 0.0), (4, 1.0), (2, 2.0)):
            options = {"num_beams": beams, "length_penalty": length_penalty, "early_stopping": "never"}
            options |= {"return_dict_in_generate": True, "output_scores": True, "eos_token_id": stop}
            found = theirs.generate(**how, **options)
            hypotheses = beam(ours, (source, target), max_new=12, stop=stop, beams=beams, length_penalty=length_penalty)
            best = [row[0] for row in hypotheses]
            assert [hypothesis.ids for hypothesis in best] == [answer(ids, stop) for ids in found.sequences.tolist()]
            assert [hypothesis.score for hypothesis in best] == pytest.approx(found.sequences_scores.tolist(), abs=1e-4)
            lengths += [len(hypothesis.ids) for hypothesis in best]
    assert len(set(lengths)) > 3  # some ended, and not all at once


def answer(ids, stop):
    """The ids after the first one, up to a token that ends them."""
    return list(itertools.takewhile(lambda i: i not in stop, ids[1:]))


def test_half_precision_becomes_fp32(tmp_path):
    theirs = save(tmp_path / "whole").to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "half")
    compare(from_pretrained(tmp_path / "half"), theirs.float(), 5, 4)


# ---- What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_decoder": True}, "is_decoder=True: only False"),
        ({"is_encoder_decoder": False}, "is_encoder_decoder=False: only True"),
        ({"decoder_start_token_id": 1}, "decoder_start_token_id=1: only pad_token_id=0 can be read"),
        ({"feed_forward_proj": "gated-mish"}, "feed_forward_proj='mish': choose one of relu"),
        ({"layer_norm_epsilon": "tiny"}, "layer_norm_epsilon='tiny' in config.json: it must be a number"),
        ({"num_experts": 8}, "has num_experts=8 in config.json, which no T5 that we know has"),
        ({"d_kv": None}, "d_kv=None in config.json: it must be a whole number"),
        ({"d_model": "15"}, "d_model='15' in config.json"),
        ({"pad_token_id": 31, "decoder_start_token_id": 31}, "pad_id=31 is outside the vocabulary of 31"),
        ({"num_layers": 3}, r"lacks the tensors encoder\.block\.2\.layer\.0\..* in all\)"),
        ({"num_decoder_layers": 1}, r"beyond a T5, the tensors decoder\.block\.1\..*\(13 in all\)"),
        ({"feed_forward_proj": "gated-gelu"}, r"lacks the tensors decoder\.block\.0\.layer\.2\.DenseReluDense\.wi_0"),
        ({"d_ff": 24}, r"DenseReluDense\.w\w\.weight is .* must be \("),
        ({"relative_attention_num_buckets": 8}, r"relative_attention_bias\.weight is \(10, 3\) .* must be \(8, 3\)"),
        ({"relative_attention_num_buckets": 3}, "n_buckets=3 and max_distance=20: give at least 4 buckets"),
        ({"architectures": ["T5EncoderModel"]}, "holds T5EncoderModel: choose one of .*T5ForConditionalGeneration"),
    ],
    ids=str,
)
def test_what_we_do_not_have_is_refused_by_name(tmp_path, changes, message):
    save(tmp_path)
    edit_config(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({"score.weight": torch.zeros(2, 15)}), r"beyond a T5, the tensors score\.weight"),
        (lambda t: t.pop("shared.weight"), r"lacks the tensors shared\.weight"),
        (
            lambda t: t.update({"decoder.embed_tokens.weight": t["shared.weight"] + 1}),
            "decoder.embed_tokens.weight differs from shared.weight, but only one embedding for both sides can be read",
        ),
        (lambda t: t.update({HEAD: torch.zeros(31, 14)}), r"lm_head\.weight is \(31, 14\) .* must be \(31, 15\)"),
    ],
    ids=["extra", "missing", "copy", "shape"],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    save(tmp_path)
    edit_tensors(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


# ---- The tokenizer

CORPUS = [
    "The café in Zürich doesn't open before 9:30, does it? Naïve résumés, coöperation!",
    "Anna put the book on the table. Who put it there? extra id pad unk 我们在图书馆看书。",
    "unaffordable unaffordable tables tabled running runs ran (see [1], {2}, <3>) $5.00 50% a_b",
]
SPECIAL = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>", "<extra_id_9>"]


@pytest.fixture(scope="module")
def unigram(tmp_path_factory):
    """A folder with T5's kind of vocabulary, as transformers saves it: sentinels are its last pieces."""
    import tokenizers

    folder = tmp_path_factory.mktemp("unigram")
    trained = tokenizers.Tokenizer(tokenizers.models.Unigram())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=150, special_tokens=SPECIAL[:3], unk_token="<unk>", show_progress=False
    )
    trained.train_from_iterator(CORPUS * 5, trainer)
    vocab = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    vocab += [(f"<extra_id_{i}>", 0.0) for i in reversed(range(10))]
    transformers.T5Tokenizer(vocab=vocab, extra_ids=10).save_pretrained(folder)
    return folder


def test_unigram_gives_the_same_ids(unigram):
    ours, theirs = load_tokenizer(unigram), transformers.T5Tokenizer.from_pretrained(unigram)
    assert len(ours) == len(theirs)
    ids_of = [theirs.convert_tokens_to_ids(name) for name in SPECIAL]
    assert [ours.special_id(name) for name in SPECIAL] == ids_of
    assert ids_of == [0, 1, 2, len(ours) - 1, len(ours) - 2, len(ours) - 10]
    for text in [
        *CORPUS,
        "",
        " ",
        "  two  spaces ",
        "\t\n",
        "x" * 250,
        "a < b",
        "<extra_id_",
        "extra_id_0>",
        "日本語",
        "é",
    ]:
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"], repr(text)
    assert ours.decode([*ids_of, *ours.encode("the table"), *ids_of]) == "the table"


@pytest.mark.parametrize("name", SPECIAL)
def test_no_text_can_produce_a_special_token(unigram, name):
    ours = load_tokenizer(unigram)
    special = {ours.special_id(known) for known in SPECIAL} - {ours.special_id("<unk>")}
    for text in (name, f"a{name}b {name} ", f"{name}{name}", f"<{name}>"):
        assert not special & set(ours.encode(text)), text
        assert ours.encode(text)


def test_gaps_are_filled_in_on_the_command_line(unigram, tmp_path, capsys):
    """With a model that has more ids than its vocabulary has tokens, as T5's own have."""
    tokenizer = load_tokenizer(unigram)
    theirs = save(tmp_path, vocab_size=len(tokenizer) + 28)
    shutil.copy(unigram / "tokenizer.json", tmp_path)
    first, second = (tokenizer.special_id(f"<extra_id_{i}>") for i in range(2))
    source = [*tokenizer.encode("Anna put"), first, *tokenizer.encode("on the table."), 1]
    found = theirs.generate(
        input_ids=torch.tensor([source]),
        max_new_tokens=min(40, 2 * len(source) + 10),
        eos_token_id=[1, second],
        do_sample=False,
        num_beams=3,
        num_return_sequences=3,
        length_penalty=0.0,
        early_stopping="never",
        return_dict_in_generate=True,
        output_scores=True,
    )
    contents = {}
    for ids, score in zip(found.sequences.tolist(), found.sequences_scores.exp().tolist(), strict=True):
        ids = answer(ids, (1, second))
        span = ids[ids.index(first) + 1 :] if first in ids else []
        text = tokenizer.decode([i for i in span if i < len(tokenizer)]).strip()
        contents[text] = contents.get(text, 0) + score
    assert command_line.main(["fill", str(tmp_path), "Anna put <extra_id_0> on the table.", "--top", "3"]) == 0
    text, *rows = capsys.readouterr().out.splitlines()
    assert text.startswith("Anna put")
    assert text.endswith("on the table.")
    assert [row[-6:] for row in rows] == [f"{p:6.1%}" for p in sorted(contents.values(), reverse=True)]
