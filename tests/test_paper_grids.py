"""Every row of the seed papers' grids takes two steps with the paper's own encoder (minutes: pytest -m long)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.pretraining.train import pretrain
from benchmark.scheduler.grid_files import load
from benchmark.scheduler.planning.rows import rows

GRIDS = ("clmr", "multiview", "semisupcon", "multisource", "choi")
CASES = [
    (grid, row.name, encoder)
    for name in GRIDS
    for grid in (name, f"{name}:embedded")
    for row in rows(load(grid))
    if row.cls.trains
    for encoder in load(grid).encoders
]
RATE, TRACKS = 16_000, 24
STEMS = ("lead", "accompaniment", "drums", "vocals", "bass", "other")
#: of rendered clips, and of mp3s that are cut to 30 s
SECONDS = {"embedded": 8.0, "own": 29.97}


@cache
def noise(seconds: float) -> Waveforms:
    """Noise with every column and stem that a strategy may ask for."""
    rng, n = np.random.default_rng(0), round(RATE * seconds)
    tracks = pd.DataFrame(
        {
            "split": ["train"] * 16 + ["val"] * 8,
            "family": [f"f{i % 3}" for i in range(TRACKS)],
            "mode": [f"m{i % 2}" for i in range(TRACKS)],
            "metre": [f"t{i % 4}" for i in range(TRACKS)],
            "tags": [[f"g{i % 3}", f"h{i % 2}"] for i in range(TRACKS)],
            "offset": np.arange(TRACKS) * n,
            "length": n,
            **{f"active_{stem}": rng.random(TRACKS) < 0.7 for stem in STEMS},
        }
    )
    return Waveforms(tracks, {s: rng.integers(-8000, 8000, TRACKS * n, dtype=np.int16) for s in ("mix", *STEMS)}, RATE)


@pytest.mark.long
@pytest.mark.parametrize(("grid", "name", "encoder"), CASES)
def test_two_steps(grid: str, name: str, encoder: str) -> None:
    planned, waves = load(grid), noise(SECONDS["embedded" if ":" in grid else "own"])
    row = next(row for row in rows(planned) if row.name == name)
    spec = row.cls.crops(row.config)
    heard = 2 * 8 * spec.count * spec.seconds / 3
    budget = planned.pretrain.model_copy(update={"batch_size": 8, "crops": int(heard) + 1, "precision": "32-true"})
    torch.manual_seed(0)
    strategy = row.cls(registry.encoders.get(encoder)(), row.config)
    result = pretrain(strategy, waves, budget, 0, "cpu")
    assert result["steps"] >= 2
    assert np.isfinite(result["loss"])
