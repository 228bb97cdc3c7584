"""The question as a grid: one corpus, its labels, everything frozen that could embed it, at few labels and at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import registry
from benchmark.encoders.contestants.contestant import Contestant
from benchmark.encoders.exported import about_of, shipped
from benchmark.modules import CROP_SECONDS
from benchmark.scheduler.grid import Grid

#: points of a learning curve, and the labels at its first
POINTS, FEWEST = 6, 10
#: label draws of every point but the last, and untrained encoders, so that intervals are honest
DRAWS, UNTRAINED = 5, 3
#: what no learning buys; the order is that of the page
HANDCRAFTED = ("informed", "mfcc")
FLOOR = "constant"
#: contestants that are longer at it than the audio lasts, without a GPU
_SLOW = ("crepe",)
#: of the row that nobody trained
_ENCODER = "cnn_small"
_OWN = (*HANDCRAFTED, "random", FLOOR)


def question(
    corpus: str,
    tasks: Sequence[str],
    labels: int,
    exports: Sequence[str],
    seconds: Sequence[float],
    allow_missing: bool = False,
    contestants: Sequence[str] = (),
) -> Grid:
    """The grid that a recommendation runs.

    Args:
        corpus: of the table.
        tasks: of its labels.
        labels: labeled training tracks, of the label that has most.
        exports: folders of exported encoders, beside those that come with the package.
        seconds: of training tracks.
        allow_missing: whether to go on where more than 2 % of the files cannot be read.
        contestants: rows that bring the weights of others.
    """
    return Grid.model_validate(
        {
            "name": "recommend",
            "corpus": corpus,
            "size": "all",
            "strategies": {**pretrained(exports), **{name: {} for name in contestants}, **_plain(seconds)},
            "encoders": [_ENCODER],
            "tasks": list(tasks),
            "fractions": fractions(labels),
            "probes": ["linear"],
            "seeds": list(range(UNTRAINED)),
            "allow_missing": allow_missing,
            "pretrain": {"crops": 1},  # nothing is pre-trained
        }
    )


def fractions(labels: int) -> dict[float, int]:
    """Label draws by fraction: evenly apart on a logarithmic axis, from a few labels to all."""
    points = np.geomspace(min(FEWEST, labels), labels, POINTS) / labels
    return dict.fromkeys((float(f) for f in np.unique(points.round(6))[:-1]), DRAWS) | {1.0: 1}


def contestants() -> list[str]:
    """Rows that bring the weights of others, where their packages are installed; none that takes hours on a CPU."""
    found = []
    for name in registry.strategies.names():
        encoder = registry.strategies.literal(name, "encoder_name")
        kind = registry.encoders.get(encoder) if encoder else None
        if encoder not in _SLOW and kind and issubclass(kind, Contestant) and kind.installed():
            found.append(name)
    return found


def pretrained(exports: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of frozen weights: those that come with the package, then others, named like their folders.

    Raises:
        UserError: one is no export.
    """
    found: dict[str, dict[str, Any]] = {}
    for folder, _ in map(about_of, dict.fromkeys([*shipped(), *exports])):
        found[_name(folder, [*found, *_OWN])] = {"strategy": "pretrained", "weights": str(folder.absolute())}
    return found


def _name(folder: Path, taken: Sequence[str]) -> str:
    """What a row is called."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", folder.absolute().name).lstrip("_-")[:60] or "export"
    return next(name for name in (plain, *(f"{plain}-{i}" for i in range(2, len(taken) + 3))) if name not in taken)


def _plain(seconds: Sequence[float]) -> dict[str, dict[str, Any]]:
    """What nobody trained: features, and an encoder, settled on the corpus where tracks are long enough to do so."""
    settles = sum(length >= CROP_SECONDS for length in seconds) >= 2
    random = {} if settles else {"strategy": "random_unsettled"}
    return {**{name: {} for name in HANDCRAFTED}, "random": random, FLOOR: {}}
