"""A few seconds of what a run heard, for the page: of each corpus, and of one clip under each corruption."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.files import replacing
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import load_run
from benchmark.scheduler.jobs import open_waveforms
from benchmark.scheduler.store import Store

FOLDER, INDEX = "audio", "index.json"
SECONDS, KBPS = 5.0, 48.0
#: mild enough to be music still
SEVERITY = 3


def write_examples(folder: Path, data: Path) -> None:
    """Write MP3 files, and `index.json` that names them, into `audio` of a results folder.

    Args:
        folder: a run's output, with `run.json`.
        data: the data folder, where the audio that it names is.

    Raises:
        UserError: it says nothing of its audio, or the audio is not there.
    """
    from benchmark.audio.degrade import mp3_bytes

    sound = load_run(folder).sound
    if not sound:
        raise UserError(f"{folder}: its run.json names no audio: run the grid again, or leave --audio away")
    out, examples = folder / FOLDER, list[dict[str, str]]()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for title, text, samples, rate in _examples(sound, Store(data)):
        name = f"{len(examples):02d}.mp3"
        (out / name).write_bytes(mp3_bytes(samples, rate, KBPS))
        examples.append({"file": name, "title": title, "text": text})
    with replacing(out / INDEX) as draft:
        draft.write_text(json.dumps(examples, indent=1))


def _examples(sound: dict[str, str], store: Store) -> Iterator[tuple[str, str, NDArray[np.float32], int]]:
    for corpus, key in sound.items():
        if not store.is_done("waveforms", key):
            raise UserError(f"{store.root} does not have the audio of {corpus}: name its data folder with --data-dir")
        samples, track, rate = _cut(corpus, key, store)
        yield corpus, f"test clip {track}", samples, rate
    first, key = next(iter(sound.items()))
    samples, track, rate = _cut(first, key, store)
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


def _corrupted(samples: NDArray[np.float32], rate: int) -> Iterator[tuple[str, str, Any]]:
    import torch

    from benchmark.audio.corrupt import CORRUPTIONS, corrupt

    clean, seeds = torch.from_numpy(samples)[None], torch.zeros(1, dtype=torch.int64)
    for name, corruption in CORRUPTIONS.items():
        loud = corrupt(clean, rate, name, SEVERITY, seeds)[0].numpy()
        yield name, corruption.description, loud / max(1.0, float(np.abs(loud).max()))
