import itertools
import logging
import math
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from seqbook import metrics
from seqbook.data.loader import LengthBuckets
from seqbook.storage import StorageError
from seqbook.training import TrainingConfig, adamw, fit, learning_rate, loop, training_step
from seqbook.training.checkpoints import CheckpointError, Identity
from seqbook.training.device import on_cpu

CONFIG = TrainingConfig(steps=12, batch_size=16, learning_rate=0.01, warmup=3, evaluations=4)


def train(toy, config=CONFIG, **options):
    """A run with dropout, in which everything that is random plays a part."""
    model = toy.model(dropout=0.3, bidirectional=True)
    return model, fit(model, toy.objective, toy.train, toy.validation, config, **options)


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def assert_same_weights(model, other):
    for (name, ours), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


@pytest.fixture
def stop_before(monkeypatch):
    """Make training stop, without a word and without a checkpoint, before it takes the batch of a step."""
    batch = LengthBuckets.batch

    def stop(step):
        def stopping(self, at):
            if at == step and self.batch_size == CONFIG.batch_size:
                raise ConnectionAbortedError("killed")
            return batch(self, at)

        monkeypatch.setattr(LengthBuckets, "batch", stopping if step is not None else batch)

    return stop


def test_the_same_seed_gives_the_same_weights(toy):
    (one, history), (two, again), (other, _) = (train(toy, seed=seed) for seed in (3, 3, 4))
    assert_same_weights(one, two)
    assert without_times(history) == without_times(again)
    assert not torch.equal(one.out.weight, other.out.weight)


def test_other_random_numbers_before_change_nothing(toy):
    one, _ = train(toy)
    model = toy.model(dropout=0.3, bidirectional=True)
    torch.rand(17)
    fit(model, toy.objective, toy.train, toy.validation, CONFIG, seed=0)
    assert_same_weights(one, model)


@pytest.mark.parametrize("step", [2, 3, 7, 11])
def test_interrupted_and_resumed_is_bit_identical(toy, tmp_path, stop_before, step):
    expected, history = train(toy)
    stop_before(step)
    with pytest.raises(ConnectionAbortedError):
        train(toy, out=tmp_path)
    stop_before(None)
    resumed, again = train(toy, out=tmp_path)
    assert_same_weights(expected, resumed)
    assert without_times(history) == without_times(again)


def test_a_finished_run_goes_on_from_its_end(toy, tmp_path, stop_before):
    expected, history = train(toy, out=tmp_path)
    stop_before(0)
    again, same = train(toy, out=tmp_path)
    assert_same_weights(expected, again)
    assert same == history


def test_a_damaged_checkpoint_is_named_and_the_run_ends_as_it_would_have(toy, tmp_path, caplog, stop_before):
    expected, _ = train(toy)
    stop_before(7)
    with pytest.raises(ConnectionAbortedError):
        train(toy, out=tmp_path)
    stop_before(None)
    newest = tmp_path / "step-00000006.safetensors"
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        resumed, history = train(toy, out=tmp_path)
    assert f"{newest} is damaged" in caplog.text
    assert [row["step"] for row in history] == list(range(1, 13))
    assert_same_weights(expected, resumed)


def test_another_runs_checkpoint_is_refused(toy, tmp_path):
    train(toy, out=tmp_path, identity=Identity("theirs"))
    with pytest.raises(CheckpointError, match=r"step-00000012\.safetensors belongs to another run"):
        train(toy, out=tmp_path, identity=Identity("mine"))


def test_a_run_continues_under_changed_code_and_says_so(toy, tmp_path, caplog, stop_before):
    expected, _ = train(toy)
    stop_before(7)
    with pytest.raises(ConnectionAbortedError):
        train(toy, out=tmp_path, identity=Identity("mine", "before"))
    stop_before(None)
    with caplog.at_level(logging.WARNING):
        resumed, _ = train(toy, out=tmp_path, identity=Identity("mine", "after"))
    assert f"{tmp_path / 'step-00000006.safetensors'} was made by other code" in caplog.text
    assert_same_weights(expected, resumed)


def test_two_checkpoints_are_kept(toy, tmp_path):
    train(toy, out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000009.safetensors",
        "step-00000012.safetensors",
    ]


def test_the_history_is_what_was_done(toy):
    began = time.perf_counter()
    _, history = train(toy)
    assert 0 < sum(row["seconds"] for row in history) < time.perf_counter() - began
    assert [row["step"] for row in history] == list(range(1, 13))
    assert [row["learning_rate"] for row in history] == [learning_rate(step, CONFIG) for step in range(12)]
    assert [row["step"] for row in history if "val_loss" in row] == [3, 6, 9, 12]
    buckets = LengthBuckets([toy.objective.lengths(example) for example in toy.train], 16)
    first = [toy.train[i] for i in buckets.batch(0)]
    assert history[0]["tokens"] == sum(len(target) + 1 for _, target in first)


def test_the_last_step_is_always_evaluated_and_saved(toy, tmp_path):
    _, history = train(toy, replace(CONFIG, steps=5, evaluations=2), out=tmp_path)
    assert [row["step"] for row in history if "val_loss" in row] == [3, 5]
    assert [path.name[:13] for path in sorted(tmp_path.iterdir())] == ["step-00000003", "step-00000005"]


def test_the_loss_is_in_nats_per_token_and_the_first_step_is_adams(toy):
    """Without dropout or clipping, the first step can be done by hand: |Δ| is the learning rate wherever a gradient is."""
    config = TrainingConfig(steps=1, batch_size=16, learning_rate=0.01, warmup=1, weight_decay=0.0, clip=1e9)
    model, before = toy.model(), toy.model()
    (row,) = fit(model, toy.objective, toy.train, toy.validation, config)
    buckets = LengthBuckets([toy.objective.lengths(example) for example in toy.train], 16)
    batch = toy.objective.collate([toy.train[i] for i in buckets.batch(0)])
    loss = toy.objective.loss(before(*batch.inputs), batch.labels) / batch.n_tokens
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-6)
    loss.backward()
    gradient, change = before.out.weight.grad, model.out.weight - before.out.weight
    torch.testing.assert_close(change, -0.01 * gradient / (gradient.abs() + 1e-8), rtol=1e-3, atol=1e-6)


def test_a_step_says_what_it_did_and_a_bad_one_changes_nothing(toy):
    model, batch = toy.model(), toy.objective.collate(toy.train[:16])
    optimizer, before = adamw(model, CONFIG), toy.model()
    loss = toy.objective.loss(before(*batch.inputs), batch.labels) / batch.n_labels
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(before.parameters(), 1e9)

    def step(rate):
        return training_step(model, toy.objective, batch, optimizer, rate, 1.0, Accelerator(cpu=True))

    assert step(0.0) == (pytest.approx(loss.item()), pytest.approx(norm.item()), batch.n_tokens)
    assert all(parameter.grad is None for parameter in model.parameters())
    step(0.01)
    with torch.no_grad():
        model.out.weight[0, 0] = math.nan
    kept = {name: t.clone() for name, t in model.state_dict().items()}
    assert not math.isfinite(step(0.01)[1])
    for name, t in model.state_dict().items():
        assert torch.equal(t.nan_to_num(), kept[name].nan_to_num()), name


def test_training_learns(toy):
    config = TrainingConfig(steps=200, batch_size=32, learning_rate=0.02, warmup=20, evaluations=2)
    history = fit(toy.model(d_model=32), toy.objective, toy.train, toy.validation, config)
    assert history[0]["loss"] > 2.3
    assert history[-1]["val_loss"] < 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(toy, tmp_path, monkeypatch, value):
    losses, plain = [], toy.objective.loss

    def poisoned(logits, labels):
        losses.append(plain(logits, labels))
        return losses[-1] * (value if len(losses) == 8 else 1)

    monkeypatch.setattr(toy.objective, "loss", poisoned)
    message = rf"step 8: loss {value}, .* at learning rate {learning_rate(7, CONFIG):.3g}\. .*step-00000006"
    with pytest.raises(FloatingPointError, match=message):
        train(toy, out=tmp_path)
    model = toy.model(dropout=0.3, bidirectional=True)
    monkeypatch.setattr(toy.objective, "loss", plain)
    history = fit(model, toy.objective, toy.train, toy.validation, CONFIG, out=tmp_path)
    assert all(math.isfinite(row["loss"]) for row in history)
    assert_same_weights(model, train(toy)[0])


def test_a_gradient_that_is_not_finite_stops_the_run(toy, monkeypatch):
    """With a loss that is finite: 1e30 is, but its square is not."""
    plain = toy.objective.loss
    steep = lambda logits, labels: plain(logits, labels) + 1e30 * (logits - logits.detach()).sum()  # noqa: E731
    monkeypatch.setattr(toy.objective, "loss", steep)
    with pytest.raises(FloatingPointError, match=r"step 1: loss \d\S+, gradient norm inf"):
        train(toy)


def test_a_learning_rate_that_is_too_high_stops_the_run(toy, tmp_path):
    config = TrainingConfig(steps=12, batch_size=16, learning_rate=1e30, warmup=1, evaluations=1)
    with pytest.raises(
        FloatingPointError, match=r"step \d: loss .* learning rate \S+e\+(29|30)\. No checkpoint was saved\."
    ):
        train(toy, config, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_checkpoint_before(toy, tmp_path, full_disk, monkeypatch):
    expected, _ = train(toy)
    stop = LengthBuckets.batch

    def filling(self, step):
        if step == 4 and self.batch_size == 16:
            limit.enter_context(full_disk(60_000))
        return stop(self, step)

    monkeypatch.setattr(LengthBuckets, "batch", filling)
    with ExitStack() as limit, pytest.raises(StorageError, match=r"can't write .*step-00000006"):
        train(toy, out=tmp_path)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003.safetensors"]
    assert_same_weights(expected, train(toy, out=tmp_path)[0])


# ---- Early stopping


STOPPING = TrainingConfig(steps=40, batch_size=16, learning_rate=0.01, warmup=3, evaluations=20, patience=3)
LOSSES = (3.0, 2.0, 2.5, 1.5, 1.7, 1.5, 1.6)  # at steps 2, 4, …: the lowest at step 8, equalled once, never undercut


@pytest.fixture
def measured(monkeypatch):
    """What the evaluations find, and the weights that they find it of."""
    seen = {}

    def evaluate(model, _objective, _examples):
        at = len(seen)
        seen[at] = {name: t.clone() for name, t in model.state_dict().items()}
        return {"loss": LOSSES[at], "accuracy": at / 10}

    monkeypatch.setattr(metrics, "evaluate", evaluate)
    return seen


def test_training_stops_after_evaluations_that_are_no_better_and_keeps_the_best_weights(toy, measured):
    model, history = train(toy, STOPPING)
    assert len(history) == 14  # three evaluations after the one at step 8
    assert [row["val_loss"] for row in history if "val_loss" in row] == list(LOSSES)
    assert [row["val_accuracy"] for row in history if "val_loss" in row] == [i / 10 for i in range(7)]
    assert [(row["step"], row["kept"]) for row in history if "kept" in row] == [(8, True)]
    for name, t in model.state_dict().items():
        assert torch.equal(t, measured[3][name]), name
        assert not torch.equal(t, measured[6][name]), name


def test_without_patience_the_last_weights_are_kept(toy, measured):
    model, history = train(toy, replace(STOPPING, steps=14, evaluations=7, patience=0))
    assert len(history) == 14
    assert not [row for row in history if "kept" in row]
    for name, t in model.state_dict().items():
        assert torch.equal(t, measured[6][name]), name


def test_the_best_weights_are_kept_when_the_steps_run_out(toy, measured):
    model, history = train(toy, replace(STOPPING, steps=10, evaluations=5))
    assert [row["step"] for row in history if "kept" in row] == [8]
    for name, t in model.state_dict().items():
        assert torch.equal(t, measured[3][name]), name


def test_more_steps_at_most_change_nothing(toy):
    (one, history), (other, again) = (
        train(toy, replace(STOPPING, steps=steps, evaluations=steps // 2, learning_rate=0.2)) for steps in (100, 200)
    )
    assert len(history) < 100
    assert without_times(history) == without_times(again)
    assert_same_weights(one, other)


@pytest.mark.parametrize("step", [3, 6, 13, 14, 15, 18])
def test_early_stopping_interrupted_and_resumed_is_bit_identical(toy, tmp_path, stop_before, step):
    """Before, at and after the best step; the second time the process is killed again."""
    config = replace(STOPPING, learning_rate=0.2)  # so high that the validation loss soon rises
    expected, history = train(toy, config)
    assert 2 < next(row["step"] for row in history if "kept" in row) < len(history) < 40
    for at in (step, step + 1):
        stop_before(at)
        with pytest.raises(ConnectionAbortedError):
            train(toy, config, out=tmp_path)
    stop_before(None)
    resumed, again = train(toy, config, out=tmp_path)
    assert_same_weights(expected, resumed)
    assert without_times(history) == without_times(again)


def test_a_run_that_has_stopped_early_goes_on_from_its_end(toy, tmp_path, stop_before):
    config = replace(STOPPING, learning_rate=0.2)
    expected, history = train(toy, config, out=tmp_path)
    assert len(history) < 40
    stop_before(len(history))
    again, same = train(toy, config, out=tmp_path)
    assert_same_weights(expected, again)
    assert same == history


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_between_evaluations_it_keeps_the_best_weights(toy, tmp_path, monkeypatch, kind):
    config = replace(STOPPING, learning_rate=0.2)
    expected, history = train(toy, config)
    last, batch = len(history), LengthBuckets.batch

    def interrupting(self, at):
        if at == last - 2 and self.batch_size == config.batch_size:
            signal.raise_signal(kind)
        return batch(self, at)

    before = signal.getsignal(kind)
    monkeypatch.setattr(LengthBuckets, "batch", interrupting)
    with pytest.raises(KeyboardInterrupt, match=f"stopped after step {last - 1} of 40"):
        train(toy, config, out=tmp_path)
    assert signal.getsignal(kind) is before
    monkeypatch.undo()
    resumed, again = train(toy, config, out=tmp_path)
    assert_same_weights(expected, resumed)
    assert without_times(history) == without_times(again)


def test_a_slow_run_saves_between_evaluations(toy, tmp_path, stop_before, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_AFTER", 0.0)
    stop_before(2)  # the first evaluation comes after step 3
    with pytest.raises(ConnectionAbortedError):
        train(toy, out=tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000001.safetensors",
        "step-00000002.safetensors",
    ]


def test_a_slow_run_saves_when_more_than_five_minutes_have_gone_by(toy, tmp_path, stop_before, monkeypatch):
    clock = itertools.count(1_000.0, 100.0)  # 100 seconds a step; a save takes a tick more
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter))
    stop_before(10)
    with pytest.raises(ConnectionAbortedError):
        train(toy, replace(CONFIG, evaluations=1), out=tmp_path)
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["step-00000004", "step-00000008"]


def test_the_devices_precision_is_used(toy, monkeypatch):
    found = {}

    def accelerator(**settings):
        found.update(settings)
        raise ConnectionAbortedError("seen")

    monkeypatch.setattr(loop, "Accelerator", accelerator)
    monkeypatch.setattr(loop, "precision", lambda: "bf16")
    with pytest.raises(ConnectionAbortedError):
        train(toy)
    assert found == {"mixed_precision": "bf16", "cpu": on_cpu()}


def test_counts_are_where_the_accelerator_is(toy):
    model = toy.model()
    accelerator = Accelerator(cpu=True)
    network, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    batch = toy.objective.collate(toy.train[:16])
    with torch.device("meta"):  # another default device
        loss, _, n_tokens = training_step(network, toy.objective, batch, optimizer, 0.1, 1.0, accelerator)
    assert loss > 0
    assert n_tokens == batch.n_tokens


@pytest.mark.parametrize("is_main_process", [True, False])
def test_one_process_shows_its_progress(is_main_process):
    with loop._progress_bar(SimpleNamespace(is_main_process=is_main_process), 9, 4) as bar:
        assert bar.disable is not is_main_process
        if is_main_process:
            assert (bar.n, bar.total, bar.unit, bar.mininterval) == (4, 9, "step", 0.5)


def test_dropout_is_on_in_training_and_off_in_evaluation(toy, monkeypatch):
    model, modes = toy.model(dropout=0.5).eval(), []
    handle = model.register_forward_hook(lambda module, _inputs, _logits: modes.append(module.training))
    fit(model, toy.objective, toy.train, toy.validation, TrainingConfig(steps=2, batch_size=16, evaluations=2))
    handle.remove()
    assert modes == [True, False, True, False]
    assert model.training


def test_no_example_to_train_on(toy):
    with pytest.raises(ValueError, match="the split is empty"):
        fit(toy.model(), toy.objective, [], toy.validation, CONFIG)


@pytest.mark.parametrize("clip", [0.01, 0.1, 1e9])
def test_no_gradient_is_longer_than_the_clip(toy, clip):
    model = toy.model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    accelerator = Accelerator(cpu=True)
    network, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    batch = toy.objective.collate(toy.train[:16])
    _, norm, _ = training_step(network, toy.objective, batch, optimizer, 1.0, clip, accelerator)
    moved = math.sqrt(sum((p.detach() - before[name]).square().sum().item() for name, p in model.named_parameters()))
    assert norm > 0.1  # what is reported is the length before
    assert moved == pytest.approx(min(norm, clip), rel=1e-3)


def test_dropout_differs_from_step_to_step(toy):
    config = TrainingConfig(steps=4, batch_size=16, learning_rate=1e-12, warmup=0, evaluations=1)
    copies = toy.train[:1] * 16  # every batch is the same
    for dropout, differ in ((0.5, True), (0.0, False)):
        history = fit(toy.model(dropout=dropout), toy.objective, copies, toy.validation, config)
        losses = [row["loss"] for row in history]
        assert (max(losses) - min(losses) > 1e-4) is differ


@pytest.mark.parametrize("step", [1, 2, CONFIG.steps])
def test_asked_to_stop_while_a_step_is_shown_it_keeps_that_step(toy, tmp_path, monkeypatch, step):
    monkeypatch.setattr(loop, "_show", lambda bar, history: len(history) == step and signal.raise_signal(signal.SIGINT))
    with pytest.raises(
        KeyboardInterrupt, match=rf"stopped after step {step} of {CONFIG.steps}. .* is .*0{step}\.safet"
    ):
        train(toy, out=tmp_path)
    assert max(path.stem for path in tmp_path.glob("step-*")) == f"step-{step:08d}"


def test_asked_to_stop_before_its_first_step_it_saves_nothing(toy, tmp_path, monkeypatch):
    bar = loop._progress_bar
    monkeypatch.setattr(loop, "_progress_bar", lambda *args: signal.raise_signal(signal.SIGINT) or bar(*args))
    with pytest.raises(KeyboardInterrupt, match=f"stopped after step 0 of {CONFIG.steps}. No checkpoint was saved."):
        train(toy, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_bar_shows_the_last_loss_and_the_speed_of_the_last_twenty_steps():
    shown = []

    class Bar:
        def set_postfix_str(self, text, refresh):
            shown.append(text)

        def update(self):
            shown.append("update")

    loop._show(Bar(), [{"loss": i / 8, "tokens": 1000 * i, "seconds": 2.0} for i in range(25)])
    assert shown == ["loss 3.000, 7,250 tokens/s", "update"]
