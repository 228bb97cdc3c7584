"""`examples/within_clips.py`: what does not move within a clip, on frames whose variance is planted."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from conftest import ROOT


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_the_share_is_that_of_the_frames_variance(
    between: float, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    share = runpy.run_path(str(ROOT / "examples" / "within_clips.py"))["share"]
    rng = np.random.default_rng(0)
    frames = between * rng.normal(size=(200, 1, 8)) + within * rng.normal(size=(200, 50, 8))
    embedded = np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1)
    every = frames.reshape(-1, 8)
    explained = frames.mean(axis=1).var(axis=0).sum() / every.var(axis=0).sum()
    assert share(embedded.astype(np.float32)) == pytest.approx(explained, abs=1e-5)
