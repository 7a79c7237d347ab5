import logging
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from seqbook.storage import StorageError
from seqbook.training.checkpoints import CheckpointError, Checkpoints, Identity

MINE, THEIRS = Identity("mine", "my code"), Identity("theirs", "my code")


@pytest.fixture
def trained(toy):
    """A model and an optimizer after two steps."""
    model = toy.model(d_model=32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(2):
        batch = toy.objective.collate(toy.train[:4])
        toy.objective.loss(model(*batch.inputs), batch.labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def fresh(toy):
    model = toy.model(d_model=32)
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def history(step):
    return [{"step": i + 1, "loss": 1 / (i + 3)} for i in range(step)]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def assert_same(pair, other):
    for ours, theirs in zip(pair[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)
    ours, theirs = (p[1].state_dict()["state"] for p in (pair, other))
    assert ours.keys() == theirs.keys()
    for i in ours:
        assert ours[i].keys() == theirs[i].keys()
        assert all(torch.equal(ours[i][name], theirs[i][name]) for name in ours[i])


def test_what_was_saved_is_what_is_loaded(toy, trained, tmp_path):
    Checkpoints(tmp_path / "run", MINE).save(*trained, history(7))
    again = fresh(toy)
    assert Checkpoints(tmp_path / "run", MINE).resume(*again) == (history(7), {})
    assert_same(trained, again)
    assert again[1].param_groups[0]["lr"] == 0.01


def test_the_best_weights_are_kept_beside_the_last(toy, trained, tmp_path):
    best = fresh(toy)[0].state_dict()
    Checkpoints(tmp_path, MINE).save(*trained, history(7), best)
    again = fresh(toy)
    rows, found = Checkpoints(tmp_path, MINE).resume(*again)
    assert rows == history(7)
    assert_same(trained, again)
    assert found.keys() == best.keys()
    for name, t in best.items():
        assert torch.equal(found[name], t), name
    assert any(not torch.equal(found[name], t) for name, t in trained[0].state_dict().items())


def test_at_most_two_are_kept(trained, tmp_path):
    checkpoints = Checkpoints(tmp_path, MINE)
    for step in (3, 9, 10, 100):
        checkpoints.save(*trained, history(step))
        assert len(list(tmp_path.iterdir())) <= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010.safetensors",
        "step-00000100.safetensors",
    ]
    assert "step-00000100" in checkpoints.last_good()


def test_a_damaged_one_is_named_and_the_one_before_is_used(toy, trained, tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path, MINE)
    checkpoints.save(*trained, history(5))
    checkpoints.save(*fresh(toy), history(8))
    cut(tmp_path / "step-00000008.safetensors")
    again = fresh(toy)
    with caplog.at_level(logging.WARNING):
        assert checkpoints.resume(*again) == (history(5), {})
    assert_same(trained, again)
    assert "step-00000008.safetensors is damaged" in caplog.text


@pytest.mark.parametrize(
    "damage", [cut, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\x00" * 99)]
)
def test_both_damaged_start_anew(toy, trained, tmp_path, caplog, damage):
    checkpoints = Checkpoints(tmp_path, MINE)
    for step in (5, 8):
        checkpoints.save(*trained, history(step))
        damage(tmp_path / f"step-{step:08d}.safetensors")
    again = fresh(toy)
    assert checkpoints.resume(*again) == ([], {})
    assert_same(again, fresh(toy))
    assert caplog.text.count("is damaged") == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("model.out.weight"), "there is no tensor model.out.weight"),
        (
            lambda t: t.update({"model.out.weight": torch.ones(3)}),
            r"has the shape \(3,\), and \(12, 32\) in this model",
        ),
        (
            lambda t: t.update({"model.out.weight": torch.ones(99, 32)}),
            r"model.out.weight has the shape \(99, 32\), and",
        ),
        (lambda t: t.update({"optimizer.0.exp_avg": torch.ones(3)}), r"optimizer.0.exp_avg has the shape \(3,\), and"),
        (lambda t: t["optimizer.0.exp_avg_sq"].fill_(torch.inf), "optimizer.0.exp_avg_sq is not finite"),
        (lambda t: t["model.out.weight"][0].fill_(torch.nan), "model.out.weight is not finite"),
    ],
)
def test_tensors_of_another_model_are_named_and_the_checkpoint_before_is_used(
    toy, trained, tmp_path, caplog, change, says
):
    checkpoints = Checkpoints(tmp_path, MINE)
    checkpoints.save(*trained, history(7))
    checkpoints.save(*trained, history(9))
    newest = tmp_path / "step-00000009.safetensors"
    with safe_open(newest, framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    change(tensors)
    save_file(tensors, newest, metadata)
    again = fresh(toy)
    assert checkpoints.resume(*again)[0] == history(7)
    assert_same(trained, again)
    assert re.search(rf"{newest} does not fit \(.*{says}.*\): trying the checkpoint before it", caplog.text)


def test_a_parameter_that_no_step_used_has_no_moments(toy, tmp_path):
    model, optimizer = fresh(toy)
    first = next(model.parameters())
    first.grad = torch.ones_like(first)
    optimizer.step()
    Checkpoints(tmp_path, MINE).save(model, optimizer, history(1))
    again = fresh(toy)
    assert Checkpoints(tmp_path, MINE).resume(*again)[0] == history(1)
    assert_same((model, optimizer), again)


def test_another_runs_checkpoint_is_refused_by_name(toy, trained, tmp_path):
    Checkpoints(tmp_path, THEIRS).save(*trained, history(5))
    again = fresh(toy)
    with pytest.raises(CheckpointError, match=r"step-00000005\.safetensors belongs to another run"):
        Checkpoints(tmp_path, MINE).resume(*again)
    assert_same(again, fresh(toy))


@pytest.mark.parametrize("code", ["another code", "other code"])
def test_other_code_is_told_by_name_and_the_checkpoint_is_used(code, toy, trained, tmp_path, caplog):
    Checkpoints(tmp_path, MINE).save(*trained, history(5))
    again = fresh(toy)
    with caplog.at_level(logging.WARNING):
        assert Checkpoints(tmp_path, Identity("mine", code)).resume(*again) == (history(5), {})
    assert_same(trained, again)
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / 'step-00000005.safetensors'} was made by other code")
    with pytest.raises(CheckpointError):
        Checkpoints(tmp_path, THEIRS).resume(*again)  # the same code doesn't make it the same run


def test_no_folder_and_no_checkpoint(toy, trained, tmp_path):
    nowhere = Checkpoints(None, MINE)
    nowhere.save(*trained, history(5))
    assert nowhere.resume(*fresh(toy)) == ([], {})
    assert nowhere.last_good() == Checkpoints(tmp_path / "new", MINE).last_good() == "No checkpoint was saved."


def test_only_the_main_process_writes(trained, tmp_path):
    Checkpoints(tmp_path / "run", MINE, is_main_process=False).save(*trained, history(5))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_the_one_before(toy, trained, tmp_path, full_disk):
    checkpoints = Checkpoints(tmp_path, MINE)
    checkpoints.save(*trained, history(5))
    (kept,) = tmp_path.iterdir()
    with full_disk(kept.stat().st_size // 2), pytest.raises(StorageError, match=r"can't write .*step-00000008"):
        checkpoints.save(*trained, history(8))
    assert list(tmp_path.iterdir()) == [kept]
    again = fresh(toy)
    assert checkpoints.resume(*again) == (history(5), {})
    assert_same(trained, again)


def test_nothing_is_pickled(trained, tmp_path):
    Checkpoints(tmp_path, MINE).save(*trained, history(1))
    with safe_open(next(tmp_path.iterdir()), framework="pt") as file:
        assert file.metadata()["settings"] == "mine"
        assert file.metadata()["code"] == "my code"
        assert {name.split(".")[0] for name in file.keys()} == {"model", "optimizer"}  # noqa: SIM118
