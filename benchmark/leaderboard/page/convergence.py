"""Convergence: one drawing per task, score against the crops that the encoder had heard when it was read.

The encoders on the way are snapshots of one training, whose learning rate had not come down yet, or, of several
budgets, branches of one trunk, each with a fall of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.drawing.draw import Drawing, Key, Style
from benchmark.leaderboard.drawing.figures import READING, Line, downward, frame, name_baselines, paint_lines
from benchmark.leaderboard.record import UNTRAINED, Run, percent
from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.tables import Column, Entry, entries_of, names_of, standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: what the points before the last are
SNAPSHOTS = (
    "Points before the last are snapshots of the same training, whose learning rate had not come down yet: a training "
    "of that budget alone may end better."
)
WHOLE = "Every point ends a training: one trunk goes on at a constant rate, and each budget has a fall of its own."
#: one curve
CURVE = [*stats.ENTRY, "task", "metric"]


def convergence(scores: pd.DataFrame, table: pd.DataFrame, run: Run, fraction: float, probe: str) -> list[Drawing]:
    """Draw each task's scores against the crops that the encoder had heard; nothing where no snapshot was read.

    Args:
        scores: `scores.parquet` as it is, snapshots included.
        table: the result of `tables.cells`.
        run: the tasks' directions.
        fraction: label fraction.
        probe: probe type.
    """
    if "share" not in scores:
        return []
    points = _points(scores, run, fraction, probe)
    ended = scores["draws"].notna() if "draws" in scores else pd.Series(False, index=scores.index)
    way = WHOLE if scores.loc[ended & scores["crops"].notna(), "share"].fillna(1.0).nunique() > 1 else SNAPSHOTS
    part = table[(table["fraction"] == fraction) & (table["probe"] == probe)]
    columns = standing(table, run, fraction, probe).columns
    return [_converging(own, part, column, fraction, way) for column in columns if len(own := _of(points, column))]


def _of(table: pd.DataFrame, column: Column) -> pd.DataFrame:
    return table[(table["task"] == column.task) & (table["metric"] == column.metric)]


def _points(scores: pd.DataFrame, run: Run, fraction: float, probe: str) -> pd.DataFrame:
    """One row per point of a curve: `CURVE`, share, crops, mean and the half-width of what seeds change.

    Curves of one point are left out. A point is NaN where a run is that its curve has elsewhere (but for seeds that
    were not to go so far), or no finite number.
    """
    clean = scores["severity"].fillna(0) == 0 if "severity" in scores else True
    chosen = clean & (scores["fraction"].round(6) == fraction) & (scores["probe"] == probe) & scores["crops"].notna()
    runs = scores[chosen].assign(share=scores["share"].fillna(1.0), value=scores["value"].where(np.isfinite))
    runs[stats.ENTRY] = runs[stats.ENTRY].fillna("").astype(str)
    points = _over_seeds(runs)
    curves = points.groupby(CURVE)
    seeds = curves["seeds"].transform("max")
    asked = [
        min(n, run.seeds_after(crops, row) or n)
        for row, crops, n in zip(points["strategy"], points["crops"], seeds, strict=True)
    ]
    lacking = points["scored"] < curves["runs"].transform("max") / seeds * asked
    points.loc[lacking, ["mean", "half"]] = np.nan
    return points[curves["runs"].transform("size") > 1]


def _over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over label draws, then over seeds; the interval is Student's over seeds, unknown of one seed."""
    seeds = runs.groupby([*CURVE, "share", "seed"], as_index=False).agg(
        value=("value", "mean"), scored=("value", "count"), runs=("value", "size"), crops=("crops", "median")
    )
    points = seeds.groupby([*CURVE, "share"], as_index=False).agg(
        mean=("value", "mean"),
        spread=("value", "std"),
        seeds=("seed", "size"),
        scored=("scored", "sum"),
        runs=("runs", "sum"),
        crops=("crops", "median"),
    )
    n = points["seeds"]
    return points.assign(half=stdtrit(np.maximum(n - 1, 1), 0.975) * points["spread"] / np.sqrt(n))


def _converging(points: pd.DataFrame, part: pd.DataFrame, column: Column, fraction: float, way: str) -> Drawing:
    entries = entries_of(part)
    looks, names = draw.styles(entries), names_of(entries)
    shares = dict(points.groupby("share")["crops"].median())
    curves = [
        _curve(Entry(*map(str, entry)), own, looks, names) for entry, own in points.groupby(stats.ENTRY, sort=False)
    ]
    ends = [min(shares.values()), max(shares.values())]
    untrained = _of(part[part["strategy"] == UNTRAINED], column)
    floors = [
        Line(Key(looks[entry], names[entry]), ends, [mean, mean], [np.nan, np.nan])
        for entry, mean in zip(entries_of(untrained), untrained["mean"], strict=True)
    ]
    lines = downward([*curves, *floors])

    def paint(axes: Axes, colors: Mapping[str, str]) -> None:
        paint_lines(axes, lines, column.higher_is_better, colors)
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(shares.values()), [f"{crops:,.0f}" for crops in shares.values()])
        axes.set_xlabel("crops heard in pre-training")
        frame(axes, column.metric, column.higher_is_better, colors["currentColor"])
        name_baselines(axes, lines, colors)

    probe = str(part["probe"].iloc[0])
    caption = (
        f"{column.metric} at {percent(fraction)} of the labels, {probe} probe, against the crops of 3 s heard in "
        "pre-training (logarithmic axis). Lines are means over seeds and label draws, bands what other seeds would "
        f"change (95%). {way} Level line: the untrained encoder. {READING}"
    )
    return draw.drawing(
        draw.slug(f"convergence_{column.task}_{probe}"),
        f"Convergence on {column.task}",
        f"Line chart: {column.metric} on {column.task} by crops heard and strategy, {probe} probe",
        caption,
        [line.key for line in lines],
        _table(points, untrained, names),
        paint,
    )


def _curve(entry: Entry, own: pd.DataFrame, looks: Mapping[Entry, Style], names: Mapping[Entry, str]) -> Line:
    missing = [percent(share) for share in own.loc[own["mean"].isna(), "share"]]
    key = Key(looks[entry], names[entry], f"missing after {', '.join(missing)}" if missing else "")
    return Line(key, own["crops"].tolist(), own["mean"].tolist(), own["half"].tolist())


def _table(points: pd.DataFrame, untrained: pd.DataFrame, names: Mapping[Entry, str]) -> pd.DataFrame:
    """Scores by share of the pre-training, best end first."""
    rows = [
        {"strategy": names[Entry(*map(str, entry))], "crops heard": own["crops"].max()}
        | {
            label: round(value, 4)
            for share, mean, half in own[["share", "mean", "half"]].itertuples(index=False)
            for label, value in ((f"after {percent(share)}", mean), (f"± after {percent(share)}", half))
        }
        for entry, own in points.groupby(stats.ENTRY, sort=False)
    ]
    floor = [
        {"strategy": names[entry], "crops heard": 0.0, "after 0%": round(mean, 4)}
        for entry, mean in zip(entries_of(untrained), untrained["mean"], strict=True)
    ]
    return pd.DataFrame([*floor, *rows])
