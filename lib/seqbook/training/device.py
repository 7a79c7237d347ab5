"""The device that a model runs on, and the precision."""

import torch
from accelerate import PartialState


def device() -> torch.device:
    """The best available device: CUDA, then MPS, then the CPU."""
    return PartialState(cpu=on_cpu()).device


def on_cpu() -> bool:
    """Whether there is no GPU. Accelerate must know this; otherwise several CPU processes train separately."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def precision() -> str:
    """Mixed precision: bf16 where the device computes it fast (NVIDIA GPUs since 2020), otherwise none."""
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"


def device_name() -> str:
    """The name of the device on which a result was measured."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{device().type}, {torch.get_num_threads()} threads"
