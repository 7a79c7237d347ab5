"""Which device a model runs on, and in which precision."""

import torch
from accelerate import PartialState


def device() -> torch.device:
    """The best device here: CUDA, then MPS, then the CPU."""
    return PartialState(cpu=on_cpu()).device


def on_cpu() -> bool:
    """Whether there is no GPU. Accelerate must be told so, or several CPU processes each train alone."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def precision() -> str:
    """Mixed precision: bf16 where the device computes it fast (NVIDIA GPUs since 2020), otherwise none."""
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"


def device_name() -> str:
    """What a result was measured on, for people to read."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{device().type}, {torch.get_num_threads()} threads"
