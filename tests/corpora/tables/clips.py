"""Tables and the short noises that they list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000


def write_clip(path: Path, seconds: float = 0.5) -> None:
    """Noise: whatever it sounds like, it lasts so long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(len(path.name)).standard_normal(round(RATE * seconds))
    soundfile.write(path, noise, RATE)


def write_table(folder: Path, header: str, *rows: str, seconds: float = 0.5, name: str = "tracks.csv") -> Path:
    """A table, and a clip for each path in its first column that can be one."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        path = row.partition(",")[0].strip(' "')
        if path and ".." not in path and not path.startswith("/") and not (folder / path).exists():
            write_clip(folder / path, seconds)
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / name


def split_rows(cells: list[str], counts: dict[str, int] | None = None) -> list[str]:
    """Rows `SPLIT-i.wav,SPLIT,CELL`, cells in turn."""
    counts = counts or {"train": 6, "val": 4, "test": 4}
    return [f"{split}{i}.wav,{split},{cells[i % len(cells)]}" for split, n in counts.items() for i in range(n)]
