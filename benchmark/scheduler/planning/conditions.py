"""Under which conditions test is read besides the clean one: corruptions of the audio, and a second SoundFont."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmark import registry
from benchmark.interfaces import UserError

#: in a grid's `corruptions`, beside those that are computed from the audio: the same scores by another SoundFont
SECOND_FONT = "second_font"
#: by corpus, the one that has its test tracks by the second font
FONT_CORPORA = {"rendered_scores": "rendered_scores_second_font"}
SEVERITIES = (1, 2, 3, 4)
#: bump when a corruption sounds different
CORRUPTION_VERSION = 3


class Change(Protocol):
    """What is done to audio, by a corruption or by an augmentation, as far as labels are concerned."""

    @property
    def moves_pitch(self) -> bool:
        """Whether its pitch is another one afterwards."""

    @property
    def moves_time(self) -> bool:
        """Whether its events are at other times afterwards."""


def conditions_of(corruptions: Mapping[str, Sequence[int]], task: Any) -> list[tuple[str, int]]:
    """(name, severity) of the conditions under which a task's labels still hold.

    Raises:
        UserError: no such corruption, or no such severity.
    """
    if not corruptions:
        return []
    from benchmark.audio.corrupt import CORRUPTIONS

    chosen = []
    for name, severities in corruptions.items():
        wrong = [severity for severity in severities if severity not in SEVERITIES]
        if wrong:
            raise UserError(f"corruptions.{name}: {wrong[0]} is no severity; they are 1 to 4")
        if name == SECOND_FONT:
            chosen += [(name, 1)] if task.corpus in FONT_CORPORA else []
        elif name not in CORRUPTIONS:
            raise registry.unknown("corruptions", name, [*CORRUPTIONS, SECOND_FONT])
        elif labels_hold(CORRUPTIONS[name], task):
            chosen += [(name, severity) for severity in severities]
    return sorted(set(chosen))


def labels_hold(change: Change, task: Any) -> bool:
    """Whether a task's labels are still true of changed audio."""
    moved_time = change.moves_time and (task.level == "time" or task.output.startswith("frame"))
    return not moved_time and not (change.moves_pitch and task.level == "pitch")


def all_corruptions() -> dict[str, list[int]]:
    """Every condition at every severity; the second font where the system has one."""
    from benchmark.audio.corrupt import CORRUPTIONS
    from benchmark.corpora.rendered.soundfonts import second_font

    font = {SECOND_FONT: [1]} if second_font() else {}
    return {name: list(SEVERITIES) for name in CORRUPTIONS} | font
