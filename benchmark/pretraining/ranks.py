"""One pre-training on several devices: a process each, which `gather` and DDP then make one."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from benchmark.files import die_with


def on_ranks(count: int, device: str, meeting: Path, fn: Callable[..., None], *args: Any) -> None:
    """Run `fn(*args, device=...)` in `count` processes that form one torch.distributed group, and wait for all.

    Args:
        count: processes; with 1, `fn` runs here.
        device: `cpu`, or any `cuda:N`: then rank r gets `cuda:r`, of the GPUs that this process may see.
        meeting: a path in an existing folder where the processes find each other (no network port is opened).
        fn: importable; what it leaves behind, it writes to files, on rank 0 alone (`is_first`).
        args: passed on.

    Raises:
        RuntimeError: there are fewer GPUs than `count`.
        torch.multiprocessing.ProcessRaisedException: a rank failed, and the others were stopped. Each prints why.
    """
    if count == 1:
        fn(*args, device=device)
        return
    if device != "cpu" and torch.cuda.device_count() < count:
        raise RuntimeError(f"devices: {count}, but this job may see {torch.cuda.device_count()} GPUs")
    spawn(_rank, (os.getpid(), count, device, meeting.absolute(), fn, args), count)  # type: ignore[no-untyped-call]


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def _rank(
    rank: int, parent: int, count: int, device: str, meeting: Path, fn: Callable[..., None], args: tuple[Any, ...]
) -> None:
    die_with(parent)  # torch asks for SIGINT, which workers ignore, and their children with them
    os.environ["LOCAL_RANK"] = str(rank)  # Lightning then knows that it need not start processes itself
    backend = "gloo" if device == "cpu" else "nccl"
    if device != "cpu":
        device = f"cuda:{rank}"
        torch.cuda.set_device(rank)
    dist.init_process_group(backend, f"file://{meeting}", rank=rank, world_size=count)
    try:
        fn(*args, device=device)
    except BaseException:
        traceback.print_exc()  # the exception of another rank, which now waits in vain, may be the one that is raised
        raise
    dist.destroy_process_group()
