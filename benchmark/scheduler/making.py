"""What jobs of every kind have in common: the device they are on, what they carry, and what they leave behind."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

from benchmark import source
from benchmark.scheduler.executors.machine import processor
from benchmark.scheduler.executors.slots import DETERMINISTIC, DEVICE_VARIABLE
from benchmark.store.artefacts import Draft
from benchmark.store.job import Job, Stores

#: as the command line reads a switch in the environment
NO = ("", "0", "false", "f", "no", "n", "off")


def device_kind() -> str:
    """`cpu` or `cuda`, as this worker's slot says."""
    return os.environ.get(DEVICE_VARIABLE, "cpu").partition(":")[0]


def made_here(seconds: float) -> dict[str, Any]:
    """What an artefact's manifest says of its making: how long it took, on what, and from which source."""
    made = {"job_seconds": round(seconds, 2), "device": device_kind(), "machine": _machine()}
    return {**made, **source.commit()}


def _machine() -> str:
    """What a job's seconds are of: the GPU, where this process has used it, or else the processor."""
    torch = sys.modules.get("torch")
    if device_kind() == "cpu" or torch is None or not torch.cuda.is_initialized():
        return processor()
    return str(torch.cuda.get_device_name(os.environ[DEVICE_VARIABLE]))


def take_device() -> str:
    """This worker's device, set up for a job: `cpu` or `cuda:N`."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    exact = os.environ.get(DETERMINISTIC, "").lower() not in NO
    torch.use_deterministic_algorithms(exact)
    torch.backends.cudnn.benchmark = not exact  # shapes are the same in every step
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32 on every device
    return os.environ.get(DEVICE_VARIABLE, "cpu")


@contextlib.contextmanager
def with_carried(job: Job, stores: Stores, draft: Draft) -> Iterator[list[tuple[Job, Draft]]]:
    """A job's draft, and one for each job that it carries and whose artefact is not there."""
    with contextlib.ExitStack() as stack:
        drafts = [(job, draft)]
        for other in job.carries:
            if not stores.done(other):
                writing = stores.of(other.kind).writing(other.kind, other.key, other.spec)
                drafts.append((other, stack.enter_context(writing)))
                drafts[-1][1].info.update(made_here(0.0))
        yield drafts


def tidy_up() -> None:
    """Give back what the job held: its process stays, and on a GPU it may have a neighbor."""
    gc.collect()  # trainers are circular: without this they and their audio stay mapped for many jobs
    with contextlib.suppress(OSError, AttributeError):  # not everywhere is glibc
        ctypes.CDLL(None).malloc_trim(0)
    if device_kind() == "cuda" and "torch" in sys.modules:
        import torch

        torch.cuda.empty_cache()
