"""Whether a data set on the disk is whole, and split as it is documented: what `data check` says."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path, PurePosixPath

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import SOUND, UNDECODABLE, Files
from benchmark.corpora.verdicts import FILES
from benchmark.files import read_json

#: a drawn part that misses its documented share by more than this of it is not what the documentation says
TOLERANCE = 0.25


def doubts(corpus: DataSet) -> list[str]:
    """In what the files that are here differ from a complete copy, and the drawn parts from their documented shares."""
    splits = corpus.tracks()["split"][[length is not None for length in corpus.lengths()]]
    found = []
    for part, count in corpus.expected.items():
        here = int(splits.isin(part.split("+")).sum())
        if here != count:
            found.append(f"{part} has {here} tracks instead of {count}")
    among = splits[splits.isin(("train", *corpus.shares))]
    for part, share in corpus.shares.items():
        real = float((among == part).mean())
        if not abs(real - share) <= TOLERANCE * share:
            found.append(f"{part} is {real:.1%} of {len(among)} tracks instead of {share:.0%}")
    return found


def lost(corpus: DataSet) -> dict[str, list[str]]:
    """The tracks whose files are not there, by what became of them."""
    paths = [path for path, length in zip(corpus.tracks()["path"], corpus.lengths(), strict=True) if length is None]
    others = Files(corpus.home()).namesakes(SOUND | UNDECODABLE) if paths else {}
    verdicts: dict[str, list[str]] = {}
    for path in paths:
        other = others.get(PurePosixPath(path).stem)
        if other is None:
            verdicts.setdefault("not there", []).append(path)
        elif PurePosixPath(other).suffix.lower() in SOUND:
            verdicts.setdefault("found elsewhere, move or link it", []).append(f"{path} (it is {other})")
        else:
            verdicts.setdefault("found with another extension, convert it", []).append(f"{path} (it is {other})")
    return verdicts


def changed(corpus: DataSet, folder: Path) -> list[str]:
    """Files that hold something else than when they were decoded; they then have signatures of their own.

    Args:
        corpus: whose.
        folder: its waveforms.
    """
    known = read_json(folder / FILES) or {}
    tracks, home = corpus.tracks(), corpus.home()
    here = tracks[tracks["id"].isin(known)].drop_duplicates("path")
    digests = corpus.file_digests(here)
    pairs = zip(here["id"], here["path"], digests, strict=True)
    found = [str(path) for name, path, digest in pairs if digest and digest != known[name]]
    corpus.mark_changed([corpus.file(home, path) for path in found])
    return found


def formats(corpus: DataSet) -> str:
    """Where the files are that are there, and what they end in: `genres: 930 .au`."""
    paths = [path for path, length in zip(corpus.tracks()["path"], corpus.lengths(), strict=True) if length is not None]
    endings = Counter(PurePosixPath(path).suffix for path in paths)
    return f"{os.path.commonpath(map(os.path.dirname, paths)) or '.'}: " + ", ".join(
        f"{count} {ending}" for ending, count in endings.most_common()
    )
