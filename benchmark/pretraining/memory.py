"""How much memory a job takes, and how to give it back."""

from __future__ import annotations

import gc
from pathlib import Path

import torch

PROCESS = Path("/proc/self")
#: of a GPU's memory: less is what a context takes up
OTHERS = 0.05


def forget_peak(device: str) -> bool:
    """Start `peak_mb` anew, since a worker runs many jobs; whether the system lets us (most Linux machines do)."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")  # the high-water mark becomes what the process holds now
    except OSError:
        return False
    return True


def peak_mb(device: str) -> int:
    """Most memory that this process has held since: on the GPU, or resident."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated() >> 20)
    status = (PROCESS / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def crowded(device: str) -> bool:
    """Whether others hold a part of a GPU's memory, which they may give back."""
    if not device.startswith("cuda"):
        return False
    left, total = torch.cuda.mem_get_info(device)
    return total - left - torch.cuda.memory_reserved(device) > OTHERS * total


def free(device: str) -> None:
    """Give back what nobody refers to; call it outside of an `except` block, whose traceback refers to much."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
