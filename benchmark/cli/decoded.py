"""Where a corpus's sound is, if it has been decoded."""

from __future__ import annotations

from pathlib import Path

from benchmark.interfaces import UserError


def decoded(corpus: str, size: str, data: Path) -> Path | None:
    """The folder of the waveforms that a run would read from; None where there are none yet."""
    from benchmark.scheduler.grid import Audio
    from benchmark.scheduler.planning.keys import Plan
    from benchmark.scheduler.planning.waveforms import prepare
    from benchmark.store.artefacts import Store

    if not data.is_dir():
        return None
    try:
        key = prepare(Plan(), Audio(corpus=corpus, size=size, allow_missing=True), [])
        store = Store(data)
    except UserError:  # not on this disk, or the data folder is read-only
        return None
    return store.folder("waveforms", key) if store.is_done("waveforms", key) else None
