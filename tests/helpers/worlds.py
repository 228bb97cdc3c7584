"""Made leaderboards whose noise is that of real results: test items, seeds, label draws, and what meets in single runs.

Every term is Gaussian. `luck` is with the test items and shows in the bootstrap draws; `spread` is what else differs
between runs. Of either, some moves all rows alike and some each row by itself. Deviations are of one seed, one label
draw, one run; of luck, of the mean over all test groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.leaderboard.statistics import stats
from benchmark.leaderboard.statistics.variance import cube

Floats = NDArray[np.float64]

#: which axes of (rows, label draws, seeds) a term varies along
AXES = {
    "shared": (),
    "row": (0,),
    "shared_draw": (1,),
    "row_draw": (0, 1),
    "shared_seed": (2,),
    "row_seed": (0, 2),
    "run": (0, 1, 2),
}
BOOTSTRAP_DRAWS, MOST_GROUPS = 100, 300


@dataclass(frozen=True)
class Noise:
    """Variances by term of one task at one fraction.

    Attributes:
        scatter: squared coefficient of variation of the rows' own variances between seeds.
    """

    groups: int
    luck: Mapping[str, float]
    spread: Mapping[str, float]
    scatter: float = 0.0

    def at_one_draw(self) -> Noise:
        """Without what other label draws would change."""
        return replace(self, spread={term: v for term, v in self.spread.items() if "draw" not in term})


@dataclass(frozen=True)
class World:
    """One leaderboard: its scores table, and what its cells would be with endless test items, seeds and label draws.

    `truth`, and `here`, the same with the seeds and label draws that are alone held fixed: by task and strategy.
    """

    scores: pd.DataFrame
    truth: pd.Series
    here: pd.Series


def noise_of(folder: Path) -> dict[tuple[str, float], Noise]:
    """Estimate the noise of each task and fraction after the main budget, from the rows that have the most seeds.

    Hundreds of test groups are drawn for thousands: their number matters no more, what luck they leave does.
    """
    draws = pd.read_parquet(folder / "draws.parquet")
    draws = draws[draws["share"].fillna(1.0) == 1.0]
    seeds = draws.groupby("strategy")["seed"].transform("nunique")
    return {key: _noise(part) for key, part in draws[seeds == seeds.max()].groupby(["task", "fraction"])}


def _noise(part: pd.DataFrame) -> Noise:
    row, rows = pd.factorize(part["strategy"])
    runs, groups = cube(part, row, len(rows)), int(part["groups"].min())
    drawn = runs[..., 1:] - runs[..., 1:].mean(axis=-1, keepdims=True)
    luck = _terms(drawn)
    luck = {term: float(v.sum()) / (drawn.shape[-1] - 1) / (1 - 1 / groups) for term, v in luck.items()}
    whole = {term: float(v[0]) for term, v in _terms(runs[..., :1]).items()}
    spread = {term: max(whole[term] - luck[term], 0.0) for term in AXES if term not in ("shared", "row")}
    own = runs[..., 0].mean(axis=1)
    squares = (own - own.mean(axis=0)).var(axis=1, ddof=1)
    scatter = np.square(squares).mean() / squares.mean() ** 2 / (1 + 2 / (own.shape[1] - 1)) - 1
    return Noise(
        min(groups, MOST_GROUPS), {term: max(v, 0.0) for term, v in luck.items()}, spread, max(float(scatter), 0.0)
    )


def _terms(runs: Floats) -> dict[str, Floats]:
    """Variance components of (rows, label draws, seeds, C) by term, unbiased: each (C,)."""
    k = len(runs)
    alike = runs.mean(axis=0, keepdims=True)
    rest, shared = _crossed((runs - alike) * np.sqrt(k / (k - 1))), _crossed(alike)
    of_row = {"row": rest["mean"], "row_seed": rest["seed"], "row_draw": rest["draw"], "run": rest["run"]}
    left = {name: shared[name] - rest[name + "_in_mean"] / k for name in ("mean", "seed", "draw")}
    return of_row | {"shared": left["mean"], "shared_seed": left["seed"], "shared_draw": left["draw"]}


def _crossed(runs: Floats) -> dict[str, Floats]:
    """Of seeds crossed with label draws, on average over rows."""
    _, r, s, _ = runs.shape
    mean, by_seed, by_draw = runs.mean(axis=(1, 2)), runs.mean(axis=1), runs.mean(axis=2)
    u_s = by_seed.var(axis=1, ddof=1).mean(axis=0) if s > 1 else np.zeros(runs.shape[-1])
    u_d = by_draw.var(axis=1, ddof=1).mean(axis=0) if r > 1 else np.zeros(runs.shape[-1])
    rest = runs - by_seed[:, None] - by_draw[:, :, None] + mean[:, None, None]
    run = np.square(rest).sum(axis=(1, 2)).mean(axis=0) / max((r - 1) * (s - 1), 1)
    square = np.square(mean).mean(axis=0)
    return {
        "mean": square - u_s / s - u_d / r + run / (r * s),
        "seed": u_s - run / r,
        "draw": u_d - run / s,
        "run": run,
        "mean_in_mean": square,
        "seed_in_mean": u_s,
        "draw_in_mean": u_d,
    }


def made(
    noises: Mapping[str, Noise],
    truths: Mapping[str, Floats | Sequence[float]],
    seeds: int | Sequence[int],
    draws: int,
    rng: np.random.Generator,
    fraction: float = 0.1,
) -> World:
    """Draw one leaderboard.

    Args:
        noises: by task.
        truths: by task, the rows' true scores.
        seeds: how many each row has, or all have.
        draws: label draws.
        rng: of everything.
        fraction: label fraction, a name only.
    """
    parts = [_task(task, noise, np.asarray(truths[task]), seeds, draws, rng) for task, noise in noises.items()]
    tables, exact, here = zip(*parts, strict=True)
    scores = pd.concat(tables, ignore_index=True).assign(
        encoder="cnn", pretrain_corpus="", corpus="made", split_hash="", fraction=fraction, probe="linear", metric="m",
        n_train=1, n_test=1,
    )  # fmt: skip
    return World(stats.prepare(scores), pd.concat(exact), pd.concat(here))


def _task(
    task: str, noise: Noise, truth: Floats, seeds: int | Sequence[int], draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    counts = np.broadcast_to(seeds, len(truth))
    shape = (len(truth), draws, int(counts.max()))
    width = _scattered(noise.scatter, len(truth), rng)
    spread = {term: np.sqrt(noise.spread.get(term, 0.0)) * _normal(axes, shape, rng) for term, axes in AXES.items()}
    spread["row_seed"] = spread["row_seed"] * width
    items = sum(
        np.sqrt(noise.luck.get(term, 0.0) * noise.groups) * _normal(axes, shape, rng, noise.groups)
        for term, axes in AXES.items()
    )
    items = np.broadcast_to(items, (*shape, noise.groups))
    values = truth[:, None, None] + sum(spread.values())
    weights = rng.multinomial(noise.groups, np.full(noise.groups, 1 / noise.groups), BOOTSTRAP_DRAWS) / noise.groups
    drawn = values[..., None] + items @ weights.T
    kept = np.broadcast_to(np.arange(shape[2]) < counts[:, None, None], shape)
    names = np.array([f"s{i:02d}" for i in range(len(truth))])
    row, draw, seed = np.nonzero(kept)
    table = pd.DataFrame({"strategy": names[row], "task": task, "resample": draw, "seed": seed})
    table["value"], table["draws"] = (values + items.mean(axis=-1))[kept], list(drawn[kept])
    table["groups"], table["test_stderr"] = noise.groups, drawn[kept].std(axis=-1, ddof=1)
    alone = [term for term, axes in AXES.items() if axes and _is_alone(axes, draws, counts)]
    here = truth + sum(np.broadcast_to(spread[term], shape)[:, 0, 0] for term in alone)
    index = pd.MultiIndex.from_product([[task], names], names=["task", "strategy"])
    return table, pd.Series(truth, index), pd.Series(here, index)


def _is_alone(axes: tuple[int, ...], draws: int, counts: NDArray[np.int64]) -> bool:
    """Whether a term was drawn once in all: its label draw is the only one, or its seed."""
    once = {1: draws == 1, 2: counts.max() == 1}
    varying = [axis for axis in axes if axis]
    return bool(varying) and all(once[axis] for axis in varying)


def _normal(axes: tuple[int, ...], shape: tuple[int, ...], rng: np.random.Generator, last: int = 0) -> Floats:
    own = tuple(n if axis in axes else 1 for axis, n in enumerate(shape))
    return rng.normal(size=(*own, last) if last else own)


def _scattered(scatter: float, rows: int, rng: np.random.Generator) -> Floats:
    """Factors of the rows' deviations whose squares have mean 1 and this squared coefficient of variation."""
    log = np.log1p(scatter)
    return np.exp(rng.normal(-log / 2, np.sqrt(log), (rows, 1, 1)) / 2)
