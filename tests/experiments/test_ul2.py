"""UL2's experiments: the same words are compared under all objectives, and modes differ in their token alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from seqbook.experiments import u_palm, ul2
from seqbook.experiments.trials import untrained
from seqbook.models import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.denoisers import MODES, DenoisersConfig
from seqbook.objectives.rows import collate
from seqbook.recipes import configure

TEXTS = [" ".join(f"w{(i * step) % 97}" for i in range(n)) for n, step in ((30, 1), (43, 2), (80, 3), (20, 5), (90, 7))]


@pytest.fixture(scope="module")
def run():
    """A prefix decoder that is not trained, with the vocabulary of the texts."""
    config = DenoisersConfig()
    objective = config.build(config.tokenizers({"text": TEXTS}, {}), 128)
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 128}
    model = PrefixLMConfig(**objective.sizes() | sizes).build()
    return SimpleNamespace(model=model, objective=objective, splits={"test": {"text": TEXTS}})


@pytest.fixture
def texts(run):
    return ul2.stories(run, 9)


def words_of(row):
    return [i for i in row.labels if i != IGNORED]


def test_stories_are_neither_short_nor_long(run):
    assert [len(ids) for ids in ul2.stories(run, 9)] == [30, 43, 80]
    assert [len(ids) for ids in ul2.stories(run, 1)] == [30]
    assert [len(ids) for ids in ul2.stories(run, 9, longest=60)] == [30, 43]


def test_how_much_each_setting_hides():
    found = {(row["mode"], row["mean"], row["rate"]): row for row in ul2.hidden([[5] * 200] * 400)}
    assert len(found) == 7
    assert {setting[0] for setting in found} == set(MODES)
    expected = {("R", 3, 0.15): (10, 3), ("R", 8, 0.15): (4, 7.5), ("X", 64, 0.15): (1, 30), ("X", 64, 0.5): (2, 50)}
    for setting, (blanks, words) in expected.items():
        assert (found[setting]["blanks"], found[setting]["words"]) == (blanks, words)
        assert found[setting]["share"] == pytest.approx(setting[2])
    assert found["S", "L/4", 0.25]["blanks"] == 1
    assert found["S", "L/4", 0.25]["share"] == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_all_ways_predict_the_same_words(run, texts, mode):
    held_out = ul2.tasks(texts, mode)
    assert held_out == ul2.tasks(texts, mode)
    for task in held_out:
        hidden = [i for start, stop in task.spans for i in task.ids[start:stop]]
        left, right = u_palm.from_the_left(run.objective.tokenizer, task), u_palm.with_mode(run.objective, task)
        assert words_of(left) == words_of(right) == hidden
        marks = words_of(u_palm.with_mode(run.objective, task, "marks"))
        n_marks = 0 if mode == "S" else len(task.spans)
        assert marks == [*run.objective.sentinels[:n_marks], run.objective.tokenizer.eos_id]


def test_what_is_right_of_a_blank_is_hidden_from_the_left(run, texts):
    task = ul2.Task(texts[0], "R", [(10, 12)])
    changed = task._replace(ids=[*texts[0][:13], *texts[1][13:30]])
    assert task.ids != changed.ids
    left = [ul2.score(run.model, run.objective.tokenizer, [u_palm.from_the_left(run.objective.tokenizer, t)])
            for t in (task, changed)]  # fmt: skip
    assert left[0] == left[1]
    both = [
        ul2.score(run.model, run.objective.tokenizer, [u_palm.with_mode(run.objective, t)]) for t in (task, changed)
    ]
    assert both[0] != both[1]


def test_a_score_is_the_mean_over_all_labels(run, texts):
    rows = [u_palm.with_mode(run.objective, task) for task in ul2.tasks(texts, "X")]
    nats, right, n = 0.0, 0, 0
    for row in rows:
        log_p = run.model.eval()(torch.tensor([row.ids]), torch.tensor([row.prefix_length]))[0].log_softmax(-1)
        for at, label in enumerate(row.labels):
            if label != IGNORED:
                nats, right, n = nats - log_p[at, label].item(), right + int(log_p[at].argmax() == label), n + 1
    assert ul2.score(run.model, run.objective.tokenizer, rows) == pytest.approx({"nats": nats / n, "right": right / n})


def test_the_causal_variant_differs_in_the_mask_alone(run, texts):
    ours = run.objective
    causal = u_palm.CausalDenoisers(ours.tokenizer, ours.config, max_len=ours.max_len)
    for task in ul2.tasks(texts, "R"):
        row, other = ours.corrupt(*task), causal.corrupt(*task)
        assert other == row._replace(prefix_length=0)
    batch = collate([other], ours.tokenizer.pad_id)
    changed = batch.inputs[0].clone()
    changed[:, row.prefix_length - 1] = 7
    with torch.no_grad():
        before, after = run.model(*batch.inputs), run.model(changed, batch.inputs[1])
        torch.testing.assert_close(before[:, : row.prefix_length - 1], after[:, : row.prefix_length - 1])
        seen = [run.model(ids, torch.tensor([row.prefix_length])) for ids in (batch.inputs[0], changed)]
        assert not torch.allclose(seen[0][:, : row.prefix_length - 1], seen[1][:, : row.prefix_length - 1])


def test_further_training_has_the_same_steps_and_rates():
    mixture, plain = (u_palm.further(kind, 35, 2e-3) for kind in ("mixture", "language model"))
    assert (mixture.training.steps, mixture.training.learning_rate, mixture.training.warmup) == (35, 2e-3, 2)
    assert plain.training == replace(mixture.training, batch_size=16)
    assert plain.objective == configure("gpt").objective
    assert (plain.model, plain.data) == (mixture.model, mixture.data)
    assert u_palm.further("mixture", 140, 1e-3).training == replace(
        configure("u-palm").training, evaluations=1
    )  # so the chapter's run is a row of the sweep


def test_each_measure_is_there_with_and_without_modes(run):
    found = u_palm.measured(run)
    assert {"lm", "R_left", "R_mode", "X_mode", "S_mode", "S_prefix", "end_left", "end_mode", "R_marks"} <= set(found)
    assert all(value >= 0 for value in found.values())
    plain = SimpleNamespace(model=run.model, objective=SimpleNamespace(tokenizer=run.objective.tokenizer),
                            splits=run.splits)  # fmt: skip
    without = u_palm.measured(plain)
    assert not [name for name in without if "mode" in name or "marks" in name]
    assert {name: found[name] for name in without} == without


def test_every_task_is_scored_under_every_mode_token(run):
    found = ul2.switched(run)
    assert [(row["task"], row["token"]) for row in found] == [(a, b) for a in MODES for b in MODES]
    assert len({row["nats"] for row in found if row["task"] == "R"}) == 3


def test_the_same_prompts_are_continued_under_every_mode_token(run):
    forms, first = ul2.prompts(run), run.objective.sentinels[0]
    thirty = ul2.stories(run, 1)[0]
    assert forms["a blank in the middle"][0] == [*thirty[:15], first, *thirty[18:]]
    assert forms["the first half"][0] == thirty[:15]
    found = ul2.written(run, max_new=9)
    assert len(found) == 6
    for row in found:
        assert 0 <= row["words"] <= 9
        assert 0 <= row["begins"] <= 1
        assert len(row["example"].split()) <= 9


def test_measures_over_the_steps_have_a_line_for_each_training():
    def row(steps, trained_on, value, **more):
        names = ("lm", "S_left", "R_left") + ("S_mode", "R_mode") * (trained_on == "mixture")
        return {"steps": steps, "trained_on": trained_on, **dict.fromkeys(names, value)} | more

    rows = [row(0, "mixture", 1.0, R_mode=9.0), row(7, "mixture", 2.0), row(7, "language model", 3.0)]
    panels, spreads = u_palm.by_steps([*rows, row(7, "mixture", 4.0)])
    assert list(panels) == ["language modelling", "continuation", "short blanks"]
    for title in panels:
        assert panels[title]["plain text, from the left"] == ([0, 7], [1.0, 3.0])
        assert panels[title]["mixture, from the left"] == ([0, 7], [1.0, 3.0])
        assert spreads[title]["mixture, from the left"] == ([1.0, 2.0], [1.0, 4.0])
    assert list(panels["language modelling"]) == ["plain text, from the left", "mixture, from the left"]
    assert panels["short blanks"]["mixture, with its mode"] == ([7], [3.0])


@pytest.mark.slow
def test_further_training_begins_with_gpts_weights():
    gpt = untrained(configure("gpt"), 1)
    start = u_palm.continue_gpt(gpt, 1, steps=0)
    ids, n = torch.tensor([[1, 40, 50, 60]]), len(gpt.objective.tokenizer)
    words = range(n)
    assert start.objective.tokenizer.tokens(words) == gpt.objective.tokenizer.tokens(words)
    with torch.no_grad():
        torch.testing.assert_close(start.model.eval()(ids)[..., :n], gpt.model.eval()(ids))
    plain = u_palm.continue_gpt(gpt, 1, "language model", steps=1)
    assert plain.objective.tokenizer.tokens(words) == gpt.objective.tokenizer.tokens(words)
    assert len(plain.history) == 1
    causal = u_palm.continue_gpt(gpt, 1, "mixture, causal mask", steps=0)
    assert causal.examples("test")[0] == start.examples("test")[0]
    assert isinstance(causal.objective, u_palm.CausalDenoisers)
