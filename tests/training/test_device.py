import pytest
import torch

from seqbook.training import device


@pytest.fixture
def machine(monkeypatch):
    """A machine with these accelerators, as far as torch says."""

    def build(cuda, mps, bf16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16 or including_emulation)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")

    return build


@pytest.mark.parametrize(("cuda", "mps"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_cpu_is_used_if_there_is_nothing_else(machine, cuda, mps):
    machine(cuda, mps)
    assert device.on_cpu() == (not cuda and not mps)


@pytest.mark.parametrize(("cuda", "bf16", "expected"), [(True, True, "bf16"), (True, False, "no"), (False, True, "no")])
def test_bf16_where_the_gpu_computes_it_without_emulation(machine, cuda, bf16, expected):
    machine(cuda, False, bf16)
    assert device.precision() == expected


def test_a_device_is_named_as_in_the_results(machine, monkeypatch):
    machine(cuda=True, mps=False)
    assert device.device_name() == "a GPU"
    machine(cuda=False, mps=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(
        device, "PartialState", lambda cpu: type("State", (), {"device": torch.device("cpu" if cpu else "meta")})
    )
    assert device.device() == torch.device("cpu")
    assert device.device_name() == "cpu, 3 threads"
