"""A few seconds of what a run heard, for the page: of each corpus, and of one clip augmented and corrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmark import registry
from benchmark.files import replacing
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run, load_run
from benchmark.scheduler.jobs import open_waveforms
from benchmark.store.artefacts import Store

FOLDER, INDEX = "audio", "index.json"
SECONDS, KBPS = 5.0, 48.0
#: mild enough to be music still
SEVERITY = 3
#: draws of each augmentation, since one may hear little of it
DRAWS = 2
#: rows named beside an augmentation, before "and more"
NAMED = 3


def write_examples(folder: Path, data: Path) -> None:
    """Write MP3 files, and `index.json` that names them, into `audio` of a results folder.

    Args:
        folder: a run's output, with `run.json`.
        data: the data folder, where the audio that it names is.

    Raises:
        UserError: it says nothing of its audio, or the audio is not there.
    """
    from benchmark.audio.degrade import mp3_bytes

    run = load_run(folder)
    if not run.sound:
        raise UserError(f"{folder}: its run.json names no audio: run the grid again, or leave --audio away")
    out, examples = folder / FOLDER, list[dict[str, str]]()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for title, text, samples, rate in _examples(run, Store(data)):
        name = f"{len(examples):02d}.mp3"
        (out / name).write_bytes(mp3_bytes(samples, rate, KBPS))
        examples.append({"file": name, "title": title, "text": text})
    with replacing(out / INDEX) as draft:
        draft.write_text(json.dumps(examples, indent=1))


def _examples(run: Run, store: Store) -> Iterator[tuple[str, str, NDArray[np.float32], int]]:
    for corpus, key in run.sound.items():
        if not store.is_done("waveforms", key):
            raise UserError(f"{store.root} does not have the audio of {corpus}: name its data folder with --data-dir")
        samples, track, rate = _cut(corpus, key, store)
        yield corpus, f"test clip {track}", samples, rate
    first, key = next(iter(run.sound.items()))
    samples, track, rate = _cut(first, key, store)
    for rows, views in _augmented(run, samples, rate):
        named = ", ".join(rows[:NAMED]) + (f" and {len(rows) - NAMED} more" if len(rows) > NAMED else "")
        for i, view in enumerate(views, start=1):
            yield f"{first} as {rows[0]} hears it, {i}", f"augmented for {named}, on test clip {track}", view, rate
    for name, text, corrupted in _corrupted(samples, rate):
        yield f"{first}: {name}", f"{text}, severity {SEVERITY} of 4, on test clip {track}", corrupted, rate


def _cut(corpus: str, key: str, store: Store) -> tuple[NDArray[np.float32], str, int]:
    """The middle of a corpus's first test clip."""
    waves = open_waveforms(store, key, corpus)
    row = int(np.flatnonzero(waves.tracks["split"].to_numpy() == "test")[0])
    length = int(waves.tracks["length"].iloc[row])
    wanted = min(length, round(SECONDS * waves.sample_rate))
    cut = waves.crops(np.array([row]), np.array([(length - wanted) // 2]), wanted)[0]
    return cut.astype(np.float32) / 32768, str(waves.tracks["id"].iloc[row]), waves.sample_rate


def _augmented(run: Run, samples: NDArray[np.float32], rate: int) -> Iterator[tuple[list[str], list[Any]]]:
    """Rows that share an augmentation, and draws of it; none of rows that hear the crop as it is."""
    import torch

    from benchmark.modules import Augmentation

    clean, shared = torch.from_numpy(samples)[None].repeat(DRAWS, 1), dict[bytes, tuple[list[str], Any]]()
    for name, note in run.strategies.items():
        try:
            options = registry.strategies.get(note.method).Config(**note.options)
        except (UserError, ValidationError):
            continue  # of a plugin that is not loaded, or of an older version
        if isinstance(options, Augmentation):
            views = options.heard(clean, rate, torch.Generator().manual_seed(0))
            if not torch.equal(views, clean):
                shared.setdefault(views.numpy().tobytes(), ([], views))[0].append(name)
    for rows, views in shared.values():
        yield rows, [_unclipped(view.numpy()) for view in views]


def _corrupted(samples: NDArray[np.float32], rate: int) -> Iterator[tuple[str, str, Any]]:
    import torch

    from benchmark.audio.corrupt import CORRUPTIONS, corrupt

    clean, seeds = torch.from_numpy(samples)[None], torch.zeros(1, dtype=torch.int64)
    for name, corruption in CORRUPTIONS.items():
        loud = corrupt(clean, rate, name, SEVERITY, seeds)[0].numpy()
        yield name, corruption.description, _unclipped(loud)


def _unclipped(loud: NDArray[np.float32]) -> NDArray[np.float32]:
    return loud / max(1.0, float(np.abs(loud).max()))
