"""Until when annotations refer to a track's sound: what a file that is far shorter cannot be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from benchmark.corpora.datasets.contours import HOP

#: columns that refer to moments, by name, as tasks of beats, chords and melody read them: where they end, in seconds
_ENDS: dict[str, Callable[[Any], float]] = {
    "beats": lambda times: float(times[-1]),
    "downbeats": lambda times: float(times[-1]),
    "chords": lambda chords: float(chords[-1]["end"]),
    "f0": lambda contour: len(contour) * HOP,
}


def reach(track: Mapping[Hashable, Any]) -> float:
    """The end of a track's annotations, in seconds; 0 where none refers to a moment."""
    found = {name: track[name] for name in _ENDS if track.get(name) is not None}
    return max((_ENDS[name](labels) for name, labels in found.items() if len(labels)), default=0.0)
