"""Where jobs can run on this machine, and the environment of each such place."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from benchmark.interfaces import Resources, UserError, one_line
from benchmark.scheduler.executors.machine import cores, memory

DEVICE_VARIABLE = "MIR_PRETEXT_DEVICE"
#: set where two runs on the same kind of device are to agree bit by bit; on a CPU they do anyway
DETERMINISTIC = "MIR_PRETEXT_DETERMINISTIC"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: what a process that trains or probes takes, roughly: fewer run side by side where memory is short
JOB_MEMORY = 1.5 * 2**30
_TRY_SECONDS = 120
_TRY = """
import sys, torch
for i in range(torch.cuda.device_count()):
    try:
        torch.ones(2, device=f"cuda:{i}").sum().item()
        print(i)
    except Exception as error:
        print(type(error).__name__, *str(error).splitlines()[:1], file=sys.stderr)
if not torch.cuda.device_count():
    torch.ones(2, device="cuda")  # to say why
"""
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
    gpus, devices = usable_gpus(), resources.devices
    blocks = _blocks(gpus, devices)
    if not gpus:
        slots = cpu_slots(devices, resources.threads)
    elif not blocks:
        raise UserError(f"pretrain.devices: {devices}, but this machine shows {len(gpus)} GPUs")
    else:
        sharing = resources.jobs_per_gpu if devices == 1 else 1
        # one job on each GPU before any has two
        slots = [Slot(f"cuda:{i}", devices) for i in blocks] * sharing
    if resources.workers is None:
        return slots
    return [slots[i % len(slots)] for i in range(resources.workers)]


def _blocks(gpus: list[int], size: int) -> list[int]:
    """The first GPU of each block of `size` neighbors; none is in two."""
    found: list[int] = []
    for i in gpus:
        if {*range(i, i + size)} <= {*gpus} and (not found or i >= found[-1] + size):
            found.append(i)
    return found


def cpu_slots(processes: int = 1, threads: int = 1) -> list[Slot]:
    """As many slots as there are cores and memory for jobs of so many processes, of so many threads; at least one."""
    room = min(cores() // (processes * threads), int(memory() // (processes * JOB_MEMORY)))
    return [Slot("cpu")] * max(1, room)


def usable_gpus() -> list[int]:
    """Those of the visible GPUs that torch can use, by their number among the visible; says if it is not all."""
    visible = _visible_gpus()
    if not visible:
        return []
    usable, reason = _tried(tuple(visible))
    gpus = [i for i in range(len(visible)) if i in usable]
    if len(gpus) < len(visible):
        _warn(f"nvidia-smi lists {len(visible)} GPUs, and torch can use {len(gpus)} of them ({reason})", not gpus)
    return gpus


@cache
def _warn(what: str, on_cpu: bool) -> None:
    print(f"warning: {what}{': going on with the CPU' if on_cpu else ''}", file=sys.stderr)


@cache  # it imports torch, in a process of its own: the driver wants neither its memory nor its hold on a GPU
def _tried(visible: tuple[str, ...]) -> tuple[frozenset[int], str]:
    """On which GPUs torch can compute, and why not on the others."""
    try:
        done = subprocess.run([sys.executable, "-c", _TRY], capture_output=True, text=True, timeout=_TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return frozenset(), one_line(error)
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return frozenset(int(line) for line in done.stdout.split() if line.isdigit()), said[-1].strip() if said else ""


def _visible_gpus() -> list[str]:
    """What to put into CUDA_VISIBLE_DEVICES, GPU by GPU, as nvidia-smi tells: without any, at once."""
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
