"""Six steps of any strategy on noise: what the tests of resuming and of micro-batches train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from test_distributed import tiny_encoder
from torch import Tensor

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.modules import Strategy
from benchmark.pretraining.budget import PretrainConfig

RATE, SECONDS, TRACKS, BATCH, STEPS = 16_000, 8, 24, 8, 6
TRAINED = [name for name in registry.strategies.names() if registry.strategies.get(name).trains]


def mostly_long(*names: str) -> list[Any]:
    """All that is trained; but for these, only where long tests run: for what is the trainer's, whatever it trains."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.long) for name in TRAINED]


def noise() -> Waveforms:
    """Noise at many levels, with tags and stems."""
    rng, n = np.random.default_rng(0), RATE * SECONDS
    tracks = pd.DataFrame(
        {
            "split": ["train"] * 16 + ["val"] * 8,
            **{tag: [f"{tag}{i % 3}" for i in range(TRACKS)] for tag in ("family", "mode", "metre")},
            "offset": np.arange(TRACKS) * n,
            "length": n,
            **{f"active_{stem}": rng.random(TRACKS) < 0.7 for stem in ("lead", "accompaniment", "drums")},
        }
    )
    audio = (rng.normal(size=(TRACKS, n)) * rng.uniform(100, 6000, (TRACKS, 1))).astype(np.int16).ravel()
    return Waveforms(tracks, dict.fromkeys(("mix", "lead", "accompaniment", "drums"), audio), RATE)


def build(name: str, encoder: str = "tiny") -> Strategy:
    """A strategy, initialized the same every time."""
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    encoder_cls = tiny_encoder(cls) if encoder == "tiny" else registry.encoders.get(encoder)
    return cls(encoder_cls(), cls.Config())  # type: ignore[no-any-return]


def budget(strategy: Strategy, **options: object) -> PretrainConfig:
    """So many crops that there are STEPS steps."""
    spec = strategy.crops(strategy.config)
    crops = -(-STEPS * BATCH * spec.count * spec.seconds // 3)
    return PretrainConfig.model_validate(
        {"crops": int(crops), "batch_size": BATCH, "precision": "32-true", "warmup": 0.3, **options}
    )


def memory_for(rows: int, strategy: Strategy, from_step: int = 0) -> Strategy:
    """Let `strategy` run out of memory as soon as it embeds more rows at once, in a step from `from_step` on."""
    embed, steps = strategy.embed, 0

    def limited(views: dict[str, Tensor]) -> dict[str, Tensor]:
        nonlocal steps
        if steps >= from_step and len(next(iter(views.values()))) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return embed(views)

    after_step = strategy.after_step

    def counted(step: int, total: int) -> None:
        nonlocal steps
        steps = step
        after_step(step, total)

    strategy.embed = limited  # type: ignore[method-assign]
    strategy.after_step = counted  # type: ignore[method-assign]
    return strategy
