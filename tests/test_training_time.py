"""The times of training steps: what is compared, and what is kept of other devices."""

import json

import pytest
import torch
from benchmarks import training_time

from seqbook.runs import published


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    monkeypatch.setattr(published, "commit", lambda: "abc")
    monkeypatch.setattr(training_time, "WIDTHS", (64,))
    monkeypatch.setattr(training_time, "LENGTHS", (8, 32))
    monkeypatch.setattr(training_time, "TOKENS", {"cpu": 64, "cuda": 64})
    monkeypatch.setattr(training_time, "WAYS", {"cpu": ((1, "fp32"), (1, "16 bits"))})
    return tmp_path / "training-time.json"


def rows(file):
    return json.loads(file.read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("d_model", [64, 128])
def test_the_matrices_of_both_have_as_many_weights(d_model):
    for network in (training_time.LSTM(d_model), training_time.transformer_block(d_model)):
        assert sum(p.numel() for p in network.parameters() if p.dim() > 1) == 8 * d_model**2


def test_a_step_changes_the_weights():
    for network in (training_time.LSTM(64), training_time.transformer_block(64)):
        before = [p.detach().clone() for p in network.parameters()]
        optimizer = torch.optim.AdamW(network.parameters())
        training_time.step_of(network, optimizer, torch.randn(2, 5, 64), threads=1, precision="fp32")()
        assert not any(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


def test_there_is_a_row_for_each_size_and_way(file):
    assert training_time.main(["--device", "cpu"]) == 0
    found = {(row["network"], row["width"], row["length"], row["precision"]) for row in rows(file)}
    ways = {(n, 64, t, p) for n in ("LSTM", "Transformer") for t in (8, 32) for p in ("fp32", "16 bits")}
    assert found == ways
    for row in rows(file):
        assert row["batch"] * row["length"] == row["tokens"] == 64
        assert 0 < row["fastest"] <= row["milliseconds"] <= row["slowest"]
        assert (row["kind"], row["threads"], row["commit"]) == ("cpu", 1, "abc")
        assert row["command"] == "python -m benchmarks.training_time --device cpu"


def test_rows_of_other_devices_are_kept(file):
    file.write_text(json.dumps({"rows": [{"device": "a GPU", "milliseconds": 1.0}, {"device": "old", "length": 3}]}))
    training_time.keep([{"device": "old", "length": 5}])
    assert rows(file) == [{"device": "a GPU", "milliseconds": 1.0}, {"device": "old", "length": 5}]


def test_a_device_that_is_not_here_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_time.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err == "training_time: there is no CUDA device here: choose --device cpu\n"


def test_a_step_that_the_device_can_not_do_is_named_and_left_out(capsys):
    def fails():
        raise RuntimeError("no such kernel")

    assert not training_time.runs("LSTM", fails, {"precision": "16 bits"})
    assert capsys.readouterr().err == "LSTM with {'precision': '16 bits'}: no such kernel\n"
