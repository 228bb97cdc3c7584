"""Processes that write artefacts until they are killed."""

import itertools
import os
import time

from benchmark.store.artefacts import Store, content_key


def write_slowly(root, key, started):
    """Be in the midst of an artefact until killed."""
    with Store(root).writing("toy", key, {"a": 1}) as draft:
        (draft.path / "half.bin").write_bytes(b"x" * 1000)
        started.touch()
        time.sleep(600)


def write_and_discard_for_ever(root, started):
    store = Store(root)
    for number in itertools.count():
        spec = {"number": number % 7}
        key = content_key(spec)
        with store.writing("toy", key, spec) as draft:
            for name in "abc":
                (draft.path / name).write_bytes(os.urandom(100_000))
        if number % 3 == 0:
            store.discard("toy", key)
        started.touch()
