"""Stores made by hand, for the tests of their upkeep and transport."""

from __future__ import annotations

import random
from pathlib import Path

from typer.testing import CliRunner, Result

from benchmark.bookkeeping.upkeep import Address, artefacts
from benchmark.cli.store import store as commands
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job


def put(store: Store, kind: str, seed: int, job: Job | None = None) -> Address:
    """An artefact of a few files, one in a folder, one empty, one longer than a block of any reader."""
    rng = random.Random(f"{kind}{seed}")
    spec = job.spec if job else {"kind": kind, "strategy": "simclr", "task": "key", "seed": seed}
    at = Address(kind, job.key if job else content_key(spec))
    with store.writing(*at, spec) as draft:
        (draft.path / "sub").mkdir()
        (draft.path / "sub" / "weights.bin").write_bytes(rng.randbytes(1_200_000 if seed == 0 else 3_000))
        (draft.path / "scores of ärger.parquet").write_bytes(rng.randbytes(200))
        (draft.path / "empty.npy").touch()
        draft.info.update(seconds=1.5, loss=[0.1, 0.2])
    return at


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, save temporaries."""
    paths = (path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] != "tmp")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def flip(path: Path, at: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def call(*args: object) -> Result:
    return CliRunner().invoke(commands, [str(arg) for arg in args])


def of(store: Store, kind: str) -> list[Address]:
    return [at for at in artefacts(store) if at.kind == kind]


def filled(root: Path) -> Store:
    """Six artefacts of three kinds, and what a results folder holds beside them."""
    store = Store(root)
    for kind in ("pretrain", "embed", "probe"):
        for seed in (0, 1):
            put(store, kind, seed)
    (store.root / "logs").mkdir()
    (store.root / "scores.parquet").write_bytes(b"table")
    return store
