import pytest
import torch

from seqbook.generation.beam import beam
from seqbook.generation.decoding import complete, greedy
from seqbook.generation.likelihood import log_likelihood

BOS, EOS = 1, 2

every_architecture = pytest.mark.parametrize("architecture", ["RNNSeq2Seq", "Transformer"])
every_gpt = pytest.mark.parametrize(
    "changes", [{}, {"positions": "rotary"}, {"positions": "rotary", "norm": "post"}, {"norm": "post"}], ids=str
)


@every_architecture
@pytest.mark.parametrize("stop", [(EOS,), (EOS, 4, 7), ()], ids=str)
def test_greedy_takes_the_most_probable_until_a_stop(architecture, stop, random_model, given):
    model = random_model(architecture, 1)
    for source, ids in zip(given[0], greedy(model, given, max_new=15, stop=stop), strict=True):
        best = model(source[None], torch.tensor([[BOS, *ids]]))[0].argmax(-1).tolist()
        assert best[: len(ids)] == ids
        assert not set(stop) & set(ids)
        assert len(ids) == 15 or best[len(ids)] in stop


@every_architecture
def test_writing_continues_the_target_that_is_given(architecture, random_model, source_ids):
    model, first = random_model(architecture, 1), torch.tensor([[1, 4], [1, 5], [7, 6]])
    options = {"max_new": 9, "stop": [EOS]}
    together = greedy(model, (source_ids, first), **options)
    assert together != greedy(model, (source_ids, first[:, :1]), **options)
    for row, ids in enumerate(together):
        logits = model(source_ids[row : row + 1], torch.tensor([[*first[row].tolist(), *ids]]))[0, 1:]
        assert logits.argmax(-1)[: len(ids)].tolist() == ids
    best = [hypotheses[0].ids for hypotheses in beam(model, (source_ids, first), **options, beams=1)]
    assert best == together


@every_architecture
@pytest.mark.parametrize("how", [greedy, beam], ids=["greedy", "beam"])
def test_a_row_does_not_depend_on_its_batch(architecture, how, random_model, given):
    model = random_model(architecture, 1)
    together = how(model, given, max_new=12, stop=[EOS])
    for row, n in enumerate((4, 2, 1)):
        (alone,) = how(model, (given[0][row : row + 1, :n], given[1][:1]), max_new=12, stop=[EOS])
        if how is greedy:
            assert alone == together[row]
        else:
            assert [h.ids for h in alone] == [h.ids for h in together[row]]


@every_architecture
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("how", [greedy, beam])
def test_dropout_is_off_and_the_mode_is_as_before(architecture, how, training, random_model, given):
    model = random_model(architecture, 1, dropout=0.5).train(training)
    first = how(model, given, max_new=10, stop=[EOS])
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert how(model.eval(), given, max_new=10, stop=[EOS]) == first


@pytest.mark.parametrize("how", [greedy, beam])
@every_architecture
def test_a_model_that_computes_nan_is_named(architecture, how, random_model, given):
    model = random_model(architecture, 1)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="the model computes NaN: a weight is NaN or too large"):
        how(model, given, max_new=3, stop=[EOS])


@pytest.mark.parametrize("how", [greedy, beam])
@every_architecture
def test_everything_is_made_where_the_model_is(architecture, how, random_model, given):
    """Here another default device stands for a model on a GPU."""
    model, options = random_model(architecture, 1), {"max_new": 5, "stop": [EOS]}
    expected = how(model, given, **options)
    with torch.device("meta"):
        assert how(model, given, **options) == expected


@every_gpt
def test_completions_are_made_where_the_model_is(changes, random_model, prompts):
    model = random_model("GPT", 0, **changes)
    expected = complete(model, prompts, 5, top_k=1, stop=(3,))
    with torch.device("meta"):
        assert complete(model, prompts, 5, top_k=1, stop=(3,)) == expected


@every_architecture
def test_the_mode_is_as_before_after_an_error(architecture, random_model):
    model = random_model(architecture, 1).train()
    with pytest.raises(ValueError, match="id 99"):
        greedy(model, (torch.tensor([[99]]), torch.tensor([[BOS]])), max_new=5, stop=[EOS])
    assert model.training


@pytest.mark.parametrize("how", [greedy, beam])
def test_a_bad_max_new(how, random_model, given):
    with pytest.raises(ValueError, match="max_new=0 must"):
        how(random_model("RNNSeq2Seq", 0), given, max_new=0, stop=[EOS])


@every_gpt
def test_each_completion_takes_the_most_probable_and_stops(changes, random_model, prompts):
    model = random_model("GPT", 0, **changes).eval()
    together = complete(model, prompts, 12, top_k=1, stop=(3, 7))
    assert any(len(ids) == 12 for ids in together) or len({len(ids) for ids in together}) > 1
    for prompt, ids in zip(prompts, together, strict=True):
        logits = model(torch.tensor([prompt + ids]))[0, len(prompt) - 1 :]
        best = logits.argmax(-1).tolist()
        assert best[: len(ids)] == ids
        assert not {3, 7} & set(ids)
        assert len(ids) == 12 or best[len(ids)] in (3, 7)
        assert complete(model, [prompt], 12, top_k=1, stop=(3, 7)) == [ids]


@pytest.mark.parametrize("seed", range(4))
def test_completions_equal_transformers(seed, prompts, tmp_path):
    transformers = pytest.importorskip("transformers")
    from seqbook.pretrained import from_pretrained

    torch.manual_seed(seed)
    sizes = {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24, "initializer_range": 0.5}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).eval()
    theirs.save_pretrained(tmp_path)
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    found = theirs.generate(
        ids, attention_mask=mask, do_sample=False, max_new_tokens=15, eos_token_id=0, pad_token_id=0
    )
    expected = [row[: row.index(0)] if 0 in row else row for row in found[:, width:].tolist()]
    assert complete(from_pretrained(tmp_path), prompts, 15, top_k=1, stop=(0,)) == expected


def test_stops(random_model, prompts):
    model = random_model("GPT", 0).eval()
    (endless,) = complete(model, prompts[:1], 15, top_k=1, stop=())
    assert len(endless) == 15
    for token in set(endless):
        assert complete(model, prompts[:1], 15, top_k=1, stop={token}) == [endless[: endless.index(token)]]


@every_gpt
def test_completions_follow_the_softmax_and_repeat_with_their_seed(changes, random_model):
    model = random_model("GPT", 3, **changes).eval()
    prompts = [[5, 6, 7, 8], [9]] * 5_000
    draws = [
        complete(model, prompts, 1, temperature=2.0, top_k=6, generator=torch.Generator().manual_seed(seed), stop=())
        for seed in (4, 4, 5)
    ]
    assert draws[0] == draws[1] != draws[2]
    for row in range(2):
        logits = model(torch.tensor([prompts[row]]))[0, -1].detach() / 2.0
        expected = logits.masked_fill(logits < logits.topk(6).values[-1], -torch.inf).softmax(-1)
        counts = torch.bincount(torch.tensor(draws[0][row::2]).flatten(), minlength=12)
        torch.testing.assert_close(counts / 5_000, expected, rtol=0, atol=0.03)


@every_gpt
def test_sampled_completions_approach_the_most_probable(changes, random_model, prompts):
    model = random_model("GPT", 0, **changes).eval()
    options = {"max_new": 12, "stop": [EOS]}
    greedily = complete(model, prompts, **options, top_k=1)
    assert complete(model, prompts, **options, temperature=1e-3) == greedily
    torch.manual_seed(0)
    assert complete(model, prompts, **options, temperature=5.0) != greedily


@pytest.mark.parametrize("training", [True, False])
def test_completing_and_scoring_leave_dropout_out_and_the_mode_as_it_was(training, random_model, prompts):
    model = random_model("GPT", 0, dropout=0.5).eval()

    def written_and_scored():
        return complete(model, prompts, 8, top_k=1, stop=[EOS]), log_likelihood(model, prompts, prompts)

    expected = written_and_scored()
    model.train(training)
    assert written_and_scored() == expected
    assert all(module.training is training for module in model.modules())


@every_gpt
def test_prompts_may_fill_the_model_to_the_last_position(changes, random_model):
    model = random_model("GPT", 0, **changes).eval()
    assert [len(ids) for ids in complete(model, [[5] * 20, [6]], 5, stop=())] == [5, 5]
    (ids,) = complete(model, [[5] * 24], 1, top_k=1, stop=())
    assert ids == model(torch.full((1, 24), 5))[0, -1:].argmax(-1).tolist()


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([], {}, "there are no prompts"),
        ([[5], []], {}, "prompt 1 is empty: give at least one token"),
        ([[5], [5] * 21], {}, "prompt 1 has 21 tokens, .* no room for max_new=5: at most 20 fit under .*max_len=24"),
        ([[5]], {"max_new": 26}, "prompt 0 has 1 tokens, .* no room for max_new=26: at most 0 fit"),
        ([[5]], {"max_new": 0}, "max_new=0 must be at least 1"),
        ([[5, 12]], {}, "prompts has the id 12, outside the vocabulary of 12"),
        ([[-1]], {}, "prompts has the id -1, outside"),
        ([[5]], {"temperature": 0.0}, "temperature=0.0 must be above 0 and finite: top_k=1"),
        ([[5]], {"top_k": 0}, "top_k=0 must be at least 1"),
        ([[5]], {"top_p": 0.0}, "top_p=0.0 must be above 0 and at most 1"),
    ],
)
def test_completing_refuses_by_name(prompts, options, message, random_model):
    with pytest.raises(ValueError, match=message):
        complete(random_model("GPT", 0), prompts, **{"max_new": 5, "stop": [EOS]} | options)
