"""What lies on both sides of a split: groups that it cuts, and sounds that it has under two names.

The sides are what is learned and chosen from (train, val) and what is tested on (all other splits); val is beside train
besides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.interfaces import many

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from benchmark.audio.waveforms import Waveforms

#: beside the waveforms
SOUNDS = "same_sounds.json"
_SHOWN = 3


@dataclass(frozen=True)
class Twins:
    """Two tracks of different splits that are the same sound.

    Attributes:
        track: of the later split.
        other: of the earlier one.
        equal: whether every sample is, and not only nearly.
    """

    track: str
    other: str
    equal: bool


def cut(tracks: pd.DataFrame) -> set[str]:
    """The groups that lie on both sides."""
    train, val = (set(tracks.loc[tracks["split"] == split, "group"]) for split in ("train", "val"))
    tested = set(tracks.loc[~tracks["split"].isin(("train", "val")), "group"])
    return tested & (train | val) | train & val


def cut_groups(tracks: pd.DataFrame) -> dict[str, int]:
    """How many groups lie on both sides, and how many test tracks share theirs with training or validation."""
    learned = tracks["split"].isin(("train", "val"))
    shared = tracks.loc[~learned, "group"].isin(tracks.loc[learned, "group"])
    return {"groups": len(cut(tracks)), "tracks": int(shared.sum()), "tested": len(shared)}


def twins(
    tracks: pd.DataFrame,
    sketches: NDArray[np.float32],
    lengths: NDArray[np.int64],
    rate: int,
    sound: Callable[[int], NDArray[np.int16]],
) -> list[Twins]:
    """The same sounds on both sides: test tracks in training or validation, validation tracks in training.

    Args:
        tracks: `id` and `split`.
        sketches: (N, 64), of `benchmark.audio.sketch`.
        lengths: in samples; 0 where a track is not heard.
        rate: in Hz.
        sound: the samples of a row.
    """
    import numpy as np

    from benchmark.audio.sketch import SLACK, alike, same

    split, ids = tracks["split"].to_numpy(), tracks["id"].astype(str).to_numpy()
    train, val = split == "train", split == "val"
    found: list[Twins] = []
    for late, early in ((~train & ~val, train | val), (val, train)):
        one, other = (np.flatnonzero(side & (lengths > 0)) for side in (late, early))
        pairs = alike(sketches[one], sketches[other], lengths[one], lengths[other], SLACK * rate)
        for a, b in ((int(one[i]), int(other[j])) for i, j in pairs):
            x, y = sound(a), sound(b)
            equal = len(x) == len(y) and bool(x.any()) and bool((x == y).all())
            if equal or same(x, y, rate):
                found.append(Twins(str(ids[a]), str(ids[b]), equal))
    return found


def twins_within(waves: Waveforms, sketches: Sequence[Path]) -> list[Twins]:
    """The same sounds on both sides, of a corpus that is decoded.

    Args:
        waves: its waveforms.
        sketches: files of those of all tracks, in order, of those that could not be read, too; where one is not there,
            since its waveforms are older than sketches, nothing is compared.
    """
    import numpy as np

    from benchmark.audio.waveforms import MIX

    if not all(path.is_file() for path in sketches):
        return []
    known = np.concatenate([np.load(path) for path in sketches])
    known = known[np.concatenate([np.load(path.with_name("lengths.npy")) for path in sketches]) > 0]
    starts, lengths = (waves.tracks[column].to_numpy() for column in ("offset", "length"))
    mix = waves.stems[MIX]
    return twins(waves.tracks, known, lengths, waves.sample_rate, lambda i: mix[starts[i] : starts[i] + lengths[i]])


def write_twins(found: Sequence[Twins], folder: Path) -> None:
    """Keep them in an artefact's folder."""
    (folder / SOUNDS).write_text(json.dumps([asdict(pair) for pair in found]))


def read_twins(folder: Path) -> list[Twins]:
    """Those in a folder; none where its waveforms are older than these."""
    path = folder / SOUNDS
    return [Twins(**pair) for pair in json.loads(path.read_text())] if path.is_file() else []


def words_of_groups(tracks: pd.DataFrame) -> list[str]:
    """What a split cuts, a sentence; nothing where it cuts nothing."""
    found = cut_groups(tracks)
    share = f"{found['tracks']} of {many(found['tested'], 'test track')} share theirs with training or validation"
    return [f"{many(found['groups'], 'group')} on both sides of the split: {share}"] if found["groups"] else []


def words_of_twins(pairs: Sequence[Twins]) -> list[str]:
    """Which sounds are on both sides, a sentence; nothing where none is."""
    listed = ", ".join(f"{pair.track} = {pair.other}" for pair in pairs[:_SHOWN])
    equal, count = sum(pair.equal for pair in pairs), many(len({pair.track for pair in pairs}), "sound")
    more = ", ..." if len(pairs) > _SHOWN else ""
    said = f"{count} on both sides of the split under two names, {equal} of them equal in every sample: {listed}{more}"
    return [said] if pairs else []
