"""BART of transformers and ours: the same logits, the same answers, and one clear error for what we do not have."""

import json

import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file

from seqbook import __main__ as command_line
from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.pretrained import from_pretrained, load_tokenizer

transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 31, "d_model": 15, "encoder_attention_heads": 5, "decoder_attention_heads": 5, "encoder_layers": 2,
    "decoder_layers": 2, "encoder_ffn_dim": 23, "decoder_ffn_dim": 23, "max_position_embeddings": 19, "init_std": 0.3,
}  # fmt: skip


def save(folder, architecture="BartForConditionalGeneration", seed=0, ends=0.0, **changes):
    """A small random BART as transformers saves it. ends: added to the logit of </s>, which ends a text."""
    torch.manual_seed(seed)
    model = getattr(transformers, architecture)(transformers.BartConfig(**SIZES | changes)).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:  # biases of 0 and gains of 1 would hide a mistake
            torch.nn.init.normal_(parameter, mean=parameter.mean().item(), std=0.3)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.normal_()[0, 2] += ends
    model.save_pretrained(folder)
    return model


def edit_config(folder, **changes):
    """Change config.json; None leaves a setting out."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    tensors = {name: t.clone().contiguous() for name, t in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def batch(source_len, target_len, pad_id=1, vocab_size=31):
    """Sources with padding at the right, and targets that begin with </s>, as BART's do."""
    source, target = torch.randint(5, vocab_size, (3, source_len)), torch.randint(5, vocab_size, (3, target_len))
    source[1, (source_len + 1) // 2 :] = source[2, 1:] = pad_id
    target[:, 0] = 2
    return source, target


@torch.no_grad()
def compare(ours, theirs, *lengths):
    source, target = batch(*lengths, theirs.config.pad_token_id, theirs.config.vocab_size)
    mask = (source != theirs.config.pad_token_id).long()
    expected = theirs(input_ids=source, attention_mask=mask, decoder_input_ids=target, use_cache=False)
    if isinstance(theirs, transformers.BartModel):
        expected = expected.last_hidden_state @ theirs.shared.weight.T
    else:
        expected = expected.logits
    torch.testing.assert_close(ours(source, target), expected, rtol=0, atol=1e-5)
    logits, state = ours.prefill(source, target[:, :1])
    for step in range(target.shape[1]):
        torch.testing.assert_close(logits, expected[:, step], rtol=0, atol=1e-5)
        if step + 1 < target.shape[1]:
            logits, state = ours.decode(target[:, step + 1], state)


# ---- The same numbers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder_layers": 3, "decoder_layers": 1, "d_model": 6, "max_position_embeddings": 33, "vocab_size": 101}
        | dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 1),
        dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 1) | {"dropout": 0.3},
        {"pad_token_id": 4},
        *({"activation_function": name} for name in ("relu", "gelu_new", "silu")),
    ],
    ids=str,
)
def test_the_same_logits_with_and_without_a_cache(tmp_path, changes):
    theirs = save(tmp_path, **changes)
    ours = from_pretrained(tmp_path)
    longest = theirs.config.max_position_embeddings
    assert ours.config.max_len == longest
    for lengths in ((1, 1), (5, 4), (longest, 3), (3, longest)):
        compare(ours, theirs, *lengths)
    assert ours.config.dropout == changes.get("dropout", 0.1)
    assert not ours.training
    assert all(p.requires_grad and p.is_contiguous() and p.dtype == torch.float32 for p in ours.parameters())
    assert "out_bias" not in dict(ours.named_parameters())


def test_a_bart_without_a_head_has_the_tied_one(tmp_path):
    """The files of facebook/bart-base and bart-large name BartModel."""
    theirs = save(tmp_path, "BartModel")
    ours = from_pretrained(tmp_path)
    compare(ours, theirs, 5, 4)
    assert not ours.out_bias.any()


@pytest.mark.parametrize("copy", ["model.encoder.embed_tokens.weight", "lm_head.weight"])
def test_the_shared_embedding_by_its_other_names(tmp_path, copy):
    theirs = save(tmp_path)
    edit_tensors(
        tmp_path, lambda t: t.update({copy: t.pop("model.shared.weight"), "model.encoder.version": torch.ones(1)})
    )
    compare(from_pretrained(tmp_path), theirs, 5, 4)


@pytest.mark.parametrize("ends", [0.0, 4.0, 5.0])
def test_the_same_answers(tmp_path, ends):
    """Greedy, and the best of each beam: with answers that never end, and with some that do."""
    theirs = save(tmp_path, seed=1, ends=ends, forced_eos_token_id=None)
    ours, (source, target), lengths = from_pretrained(tmp_path), batch(9, 1), []
    how = {"input_ids": source, "attention_mask": (source != 1).long(), "max_new_tokens": 12, "do_sample": False}
    expected = [answer(ids) for ids in theirs.generate(**how).tolist()]
    assert greedy(ours, (source, target), max_new=12, stop=[2]) == expected
    for beams, length_penalty in ((3, 0.0), (4, 1.0), (2, 2.0)):
        options = {"num_beams": beams, "length_penalty": length_penalty, "early_stopping": "never"}
        found = theirs.generate(**how, **options, return_dict_in_generate=True, output_scores=True)
        hypotheses = beam(ours, (source, target), max_new=12, stop=[2], beams=beams, length_penalty=length_penalty)
        best = [row[0] for row in hypotheses]
        assert [hypothesis.ids for hypothesis in best] == [answer(ids) for ids in found.sequences.tolist()]
        assert [hypothesis.score for hypothesis in best] == pytest.approx(found.sequences_scores.tolist(), abs=1e-4)
        lengths += [len(hypothesis.ids) for hypothesis in best]
    assert min(lengths) < 12 or not ends


def answer(ids):
    """The ids after the first one, up to </s>."""
    return ids[1 : ids.index(2, 1)] if 2 in ids[1:] else ids[1:]


def test_texts_are_rewritten_as_transformers_would(tmp_path, capsys):
    texts = ["Anna put the book on the table.", "Tom saw a dog in the garden."]
    trained = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(texts * 3, vocab_size=300, special_tokens=special, show_progress=False)
    trained.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": 40}
    theirs = save(tmp_path, seed=2, ends=4.0, forced_eos_token_id=None, **sizes)

    before, after, (start, end, mask) = tokenizer.encode("Anna put"), tokenizer.encode(" on the table."), (0, 2, 4)
    found = theirs.generate(
        input_ids=torch.tensor([[start, *before, mask, *after, end]]),
        decoder_input_ids=torch.tensor([[end, start]]),
        max_new_tokens=min(39, 2 * (len(before) + len(after) + 3) + 10),
        do_sample=False,
        num_beams=3,
        num_return_sequences=3,
        length_penalty=0.0,
        early_stopping="never",
        return_dict_in_generate=True,
        output_scores=True,
    )
    expected = [tokenizer.decode(ids).strip() for ids in found.sequences.tolist()]
    assert command_line.main(["fill", str(tmp_path), "Anna put <mask> on the table.", "--top", "3"]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first == expected[0]
    assert len(rows) == 3
    for row, text, score in zip(rows, expected, found.sequences_scores.exp().tolist(), strict=True):
        assert row.strip().removeprefix("1").strip().startswith(text)
        assert row.endswith(f"{score:6.1%}")


# ---- What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_embedding": True}, "scale_embedding=True: only False"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings=False: only True"),
        ({"normalize_before": True}, "normalize_before=True: only False"),
        ({"add_final_layer_norm": True}, "add_final_layer_norm=True: only False"),
        ({"static_position_embeddings": True}, "static_position_embeddings=True: only False"),
        ({"extra_pos_embeddings": 1}, "extra_pos_embeddings=1: only 2"),
        ({"activation_function": "mish"}, "activation_function='mish': choose one of relu"),
        ({"decoder_ffn_dim": 24}, "encoder_ffn_dim=23 and decoder_ffn_dim=24: only equal ones can be read"),
        ({"decoder_attention_heads": 3}, "encoder_attention_heads=5 and decoder_attention_heads=3: only equal ones"),
        ({"decoder_start_token_id": 0}, "decoder_start_token_id=0: only eos_token_id=2 can be read"),
        ({"rope_theta": 1.0}, "has rope_theta=1.0 in config.json, which no BART that we know has"),
        ({"encoder_layers": None}, "encoder_layers=None in config.json: it must be a whole number"),
        ({"pad_token_id": 31}, "pad_id=31 is outside the vocabulary of 31"),
        ({"encoder_layers": 3}, r"lacks the tensors encoder\.layers\.2\..*\(16 in all\)"),
        ({"decoder_layers": 1}, r"beyond a BART, the tensors decoder\.layers\.1\..*\(26 in all\)"),
        ({"max_position_embeddings": 21}, r"embed_positions\.weight is \(21, 15\) .* must be \(23, 15\)"),
        ({"architectures": ["BartForCausalLM"]}, "holds BartForCausalLM: choose one of .*BartModel"),
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
        (lambda t: t.update({"score.weight": torch.zeros(2, 15)}), r"beyond a BART, the tensors score\.weight"),
        (lambda t: t.pop("model.shared.weight"), r"lacks the tensors shared\.weight"),
        (lambda t: t.update({"lm_head.weight": torch.zeros(31, 15)}), "only tied embeddings can be read"),
        (lambda t: t.update({"final_logits_bias": torch.zeros(1, 30)}), r"final_logits_bias is \(30,\) .* \(31,\)"),
    ],
    ids=["extra", "missing", "head", "bias"],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    save(tmp_path)
    edit_tensors(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)
