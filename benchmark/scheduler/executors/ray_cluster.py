"""Which Ray cluster to use, and how much of it a job takes."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from typing import Any

from benchmark.interfaces import Resources, UserError
from benchmark.scheduler.executors.machine import cores

#: Ray counts resources in so many parts of one
_STEPS = 10_000
#: how long a cluster may take to answer, seconds
_ANSWER = 10.0


@dataclass(frozen=True)
class Share:
    """What a slot takes of a node: so many of a Ray resource, `GPU` or `CPU`."""

    kind: str
    amount: float

    @classmethod
    def of(cls, resources: Resources, nodes: list[dict[str, float]]) -> Share:
        """What a job needs: GPUs, if any node has one.

        Args:
            resources: what the user asked for.
            nodes: the Ray resources of each node.

        Raises:
            UserError: it is more than any node has.
        """
        gpus, cpus = (max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("GPU", "CPU"))
        share, most = cls("CPU", resources.devices * resources.threads), cpus
        if gpus:
            amount = int(_STEPS / resources.jobs_per_gpu) / _STEPS if resources.devices == 1 else resources.devices
            share, most = cls("GPU", amount), gpus
        if share.amount > most:
            option = "pretrain.devices" if gpus else "--threads times pretrain.devices"
            needed = f"{share.amount:g} {share.kind}s"
            raise UserError(f"{option}: a job needs {needed}, but no node of the Ray cluster has over {most:g}")
        return share

    def fits(self, nodes: list[dict[str, float]]) -> int:
        """How many slots the nodes have room for."""
        return sum(int(node.get(self.kind, 0.0) / self.amount + 1 / _STEPS) for node in nodes)


def connect(resources: Resources) -> tuple[Any, bool]:
    """The `ray` module, connected, and whether it is to be disconnected at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UserError("--executor ray needs Ray: pip install 'mir-pretext[ray]'") from error
    if ray.is_initialized():
        return ray, False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := _existing():
        ray.init(address=address, **quiet)
        return ray, True
    tell("no cluster found (RAY_ADDRESS, 'ray start'); starting one on this machine")
    # else Ray writes one to the home folder; without any, whoever reaches its ports may run code
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    job = resources.devices * resources.threads
    cpus = max(job, cores()) if resources.workers is None else job * resources.workers
    # nothing but keys and paths goes through the object store
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
    return ray, True


def _existing() -> str:
    """Address of the cluster to use: of RAY_ADDRESS, else what `ray start` on this machine noted; else empty.

    Never a cluster that another driver has started for itself, as Ray's "auto" might: it ends with that driver.

    Raises:
        UserError: nobody answers at RAY_ADDRESS.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "auto"):
        noted = importlib.import_module("ray._private.services").find_bootstrap_address(None) or ""
        return noted if noted and _answers(noted) else ""  # the note outlives a cluster that was killed
    if address != "local" and not _answers(address):
        raise UserError(f"no Ray cluster answers at RAY_ADDRESS={address}: start it ('ray start --head'), or unset it")
    return "" if address == "local" else address


def _answers(address: str) -> bool:
    """Whether somebody listens there; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
    except (OSError, ValueError):
        return False
    return True


def tell(what: str) -> None:
    """Say something to the user."""
    print(f"Ray: {what}", file=sys.stderr, flush=True)
