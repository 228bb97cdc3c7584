"""What the tests of readers ask: what is heard, whether groups stay whole, what a missing file is answered with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.corpora.datasets.dataset import DataSet
from benchmark.interfaces import UserError


def heard(corpus: DataSet, row: int) -> float:
    """Frequency, in Hz, of the tone that a track is decoded to."""
    sound = next(iter(corpus.render(corpus.tracks().iloc[[row]], Path())))
    assert isinstance(sound, dict), sound
    spectrum = np.abs(np.fft.rfft(sound["mix"]))
    return float(spectrum.argmax() * corpus.sample_rate / len(sound["mix"]))


def apart(tracks: pd.DataFrame, *splits: str) -> bool:
    """Whether no group is in two of these splits (of all, by default)."""
    some = tracks[tracks["split"].isin(splits or ("train", "val", "test"))]
    return bool((some.groupby("group")["split"].nunique() == 1).all())


def refused(cls: type[DataSet], root: Path, without: str, source: str) -> None:
    """Taking away one annotation file is an error that names it and says where the data set comes from."""
    (root / cls.folder / without).unlink()
    with pytest.raises(UserError, match=source) as error:
        cls().tracks()
    assert Path(without).name in str(error.value)
