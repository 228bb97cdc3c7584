"""What is needed of a corpus: a sound catalog, sound that can be read, and for a task labels in every split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.interfaces import Corpus, UserError

if TYPE_CHECKING:
    import pandas as pd

#: labeled tracks by which settings are chosen: by one alone, any that gets it right is as good as any other
FEWEST_VAL = 2
#: share of the tracks that a corpus may lose to files that cannot be read, without `allow_missing`
ALLOWED_UNREADABLE = 0.02


def lacking(train: int, val: int, test: int) -> list[str]:
    """What is missing of a task that has so many labeled tracks in each split."""
    found = [
        "no training track has a label" if not train else "",
        "no validation track has a label" if not val else "",
        f"only one validation track has a label, and settings are chosen by {FEWEST_VAL} or more" if val == 1 else "",
        "no test track has a label" if not test else "",
    ]
    return list(filter(None, found))


def check_catalog(corpus: Corpus, tracks: pd.DataFrame, size: int) -> None:
    """Make sure that a catalog is what all that follows takes it for: predictions, say, are joined by id.

    Raises:
        UserError: columns are missing, ids are there twice, or tracks are too few or too many.
    """
    name, absent = corpus.info.name, [column for column in ("id", "group", "split") if column not in tracks]
    if absent:
        raise UserError(f"{name}: its catalog has no column {', '.join(absent)}")
    twice = tracks.loc[tracks["id"].duplicated(), "id"]
    if len(twice):
        raise UserError(f"{name}: its catalog has {len(twice)} ids twice, such as {twice.iloc[0]!r}")
    if len(tracks) != size:
        raise UserError(f"{name}: its catalog lists {len(tracks)} tracks where {size} were asked for")
