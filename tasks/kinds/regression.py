"""Numbers per clip.

Conventions: R² (scikit-learn's) of each number over the test clips, and their mean, which is the main metric; a
constant prediction of the test mean scores 0. Fewer than two clips have no score (NaN).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmark.interfaces import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Regression(Task):
    """The numbers are the corpus's columns `labels`, which are also the names of the outputs."""

    output = "regression"
    metric = "r2"
    classes: ClassVar[tuple[str, ...]]

    def targets(self, tracks: pd.DataFrame) -> list[Any]:
        """(C,) numbers; a track that lacks one of them has no label."""
        values = tracks[list(self.labels)].to_numpy(np.float32)
        return [row if np.isfinite(row).all() else None for row in values]

    def decode(self, outputs: list[NDArray[np.float32]], frame_rate: float) -> list[Any]:
        """The numbers."""
        return [numbers.astype(float).tolist() for numbers in outputs]

    def score(self, predictions: list[Any], targets: list[Any]) -> dict[str, float]:
        """R² of each number, and their mean."""
        from sklearn.metrics import r2_score

        if len(targets) < 2:  # no variance to explain
            return {"r2": np.nan, **{f"r2_{name}": np.nan for name in self.classes}}
        each = r2_score(np.asarray(targets), np.asarray(predictions), multioutput="raw_values")
        names = {f"r2_{name}": float(value) for name, value in zip(self.classes, each, strict=True)}
        return {"r2": float(np.mean(each)), **names}
