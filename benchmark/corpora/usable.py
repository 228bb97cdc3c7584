"""What a task needs of a corpus: sound that can be read, and labels in every split."""

from __future__ import annotations

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
