"""Body of a worker process: one job after another until the driver closes its end.

Jobs and results are pickled between processes of one run only: over a pipe that the driver has made and nobody else
holds, or, on a cluster, over Ray's own calls. Nothing that lies in a file is ever unpickled.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import pickle
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.files import die_with


def work(descriptor: int, driver: int) -> None:
    """Body of a worker process."""
    die_with(driver)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    imported = 0
    with Connection(descriptor) as connection:
        while True:
            try:
                log, payload = connection.recv()
            except (EOFError, OSError):
                return
            connection.send_bytes(_attempt(log, payload))
            imported = _freeze(imported)


def _freeze(imported: int) -> int:
    """Spare later collections, one a job, what jobs import: a million objects that stay, a fifth of a second each time.

    Args:
        imported: how many modules there were at the last time.

    Returns:
        How many there are.
    """
    if len(sys.modules) > imported:
        gc.collect()
        gc.freeze()
    return len(sys.modules)


def log_path(folder: Path | None, fn: Callable[..., Any], args: tuple[Any, ...]) -> Path | None:
    """Where a job's log goes: `<key>.log`, of the key of the first argument, in the folder, if there is to be one."""
    if folder is None:
        return None
    first = args[0] if args else None
    name = getattr(first, "key", first)
    safe = isinstance(name, str) and re.fullmatch(r"\w[\w.-]{0,199}", name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute() / f"{name if safe else getattr(fn, '__name__', 'job')}.log"


@contextlib.contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """Append everything written to stdout and stderr, C libraries included, to a file."""
    if log is None:
        yield
        return
    with log.open("ab") as stream:
        saved = os.dup(1), os.dup(2)
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk, say: the job's own error tells more
            traceback.print_exc()
        raise
    finally:
        for copy, standard in zip(saved, (1, 2), strict=True):
            os.dup2(copy, standard)
            os.close(copy)


def _attempt(log: Path | None, payload: bytes) -> bytes:
    """Run a job; whatever it raises, SystemExit included, travels back to the driver."""
    try:
        with _output_to(log):
            fn, args = pickle.loads(payload)
            return pickle.dumps((True, fn(*args)))
    except BaseException as error:
        return _pickled(error)


def _pickled(error: BaseException) -> bytes:
    note = traceback.format_exc()
    error.add_note(note)
    try:
        outcome = pickle.dumps((False, error))
        pickle.loads(outcome)
    except Exception:
        # an exception that cannot travel (an odd constructor, an open file in it) still names itself
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.add_note(note)
        return pickle.dumps((False, stand_in))
    return outcome
