"""Where jobs can run on this machine, and the environment of each such place."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
from dataclasses import dataclass

from benchmark.interfaces import Resources, UserError

DEVICE_VARIABLE = "MIR_PRETEXT_DEVICE"
#: set where two runs on the same kind of device are to agree bit by bit; on a CPU they do anyway
DETERMINISTIC = "MIR_PRETEXT_DETERMINISTIC"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: glibc gives blocks of megabytes back to the kernel at once, which then has to clear them anew for every step: a fifth
#: of a training loop's time on a CPU. Told so, it keeps them until a job ends.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time can run.

    Args:
        device: `cpu`, or `cuda:N`, the N-th GPU that the driver itself could see.
        count: GPUs from that one on, for a job that shares its batches among several.
    """

    device: str
    count: int = 1


def slots_for(resources: Resources) -> list[Slot]:
    """A slot per `devices` visible GPUs, or several per GPU; without any, one per as many cores as jobs have processes.

    Raises:
        UserError: there are GPUs, but fewer than a job needs.
    """
    gpus, devices = _visible_gpus(), resources.devices
    if not gpus:
        slots = [Slot("cpu")] * max(1, len(os.sched_getaffinity(0)) // devices)
    elif len(gpus) < devices:
        raise UserError(f"pretrain.devices: {devices}, but this machine shows {len(gpus)} GPUs")
    else:
        sharing = resources.jobs_per_gpu if devices == 1 else 1
        # one job on each GPU before any has two
        slots = [Slot(f"cuda:{i}", devices) for i in range(0, len(gpus) - devices + 1, devices)] * sharing
    if resources.workers is None:
        return slots
    return [slots[i % len(slots)] for i in range(resources.workers)]


def _visible_gpus() -> list[str]:
    """What to put into CUDA_VISIBLE_DEVICES, GPU by GPU. Asks nvidia-smi: torch would cost 2 s of imports."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30).stdout
        present = len(re.findall(r"^GPU \d+:", listing, re.MULTILINE))
        return _allowed_gpus(present) if present else []
    return []


def _allowed_gpus(present: int) -> list[str]:
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [str(index) for index in range(present)]
    # CUDA itself stops at the first entry that names nothing, such as -1
    names = (name.strip() for name in allowed.split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1", "NoDevFiles"), names))


def worker_environment(slot: Slot, threads: int) -> dict[str, str]:
    """Environment variables of a process that runs jobs in `slot`."""
    # unbuffered, so that a job's log is complete up to the moment it was killed
    settings = {"PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": "", DEVICE_VARIABLE: "cpu"}
    if slot.device != "cpu":
        index = int(slot.device.removeprefix("cuda:"))
        end = index + slot.count
        visible = _allowed_gpus(end)
        if end > len(visible):
            raise ValueError(f"{slot.device} is hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}")
        # within the worker its GPUs are numbered from 0
        settings |= {"CUDA_VISIBLE_DEVICES": ",".join(visible[index:end]), DEVICE_VARIABLE: "cuda:0"}
        settings |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # deterministic matrix products want it
    return ALLOCATOR | os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | settings
