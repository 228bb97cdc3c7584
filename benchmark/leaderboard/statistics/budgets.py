"""What more pre-training changes: every row after each budget, beside no pre-training and beside the largest budget.

A row after one budget is a row like others: `compare.pairwise` holds it against itself after another, on the same test
items, label draws and seeds. Three questions, each a family of tests under Holm's correction: what pre-training adds to
the better of untrained encoders (the rows of one budget); which budget is enough (the budgets of one row); on which
tasks a longer budget is worse (the tasks of one row).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.record import UNTRAINED_ROWS, Run
from benchmark.leaderboard.statistics import compare, headline, levels, stats, tables
from benchmark.leaderboard.statistics.compare import LEVEL, MATRIX
from benchmark.leaderboard.statistics.headline import Headline
from benchmark.leaderboard.statistics.tables import Entry

#: what stands between a row and its budget in the names that are compared
_AFTER = "\N{NO-BREAK SPACE}after\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Step:
    """A row's score on a level after one budget.

    Attributes:
        share: of the main budget; above 1 where a row has been trained for longer.
        crops: heard, on average over seeds.
        gain: over the untrained encoder `over`, the one that reads the level best, with `gain_half`; `adds` says who is
            better: first (the row), second or tied.
        since: over itself after the main budget, on the seeds that have both, with `since_half`; NaN up to there.
        more: what the largest budget that it can be held against adds to this one, with `more_half`; NaN for that one.
        enough: whether neither this nor a larger budget is told to be worse than that largest one; of one seed, where
            nothing can be held against another, none is.
    """

    entry: Entry
    level: str
    fraction: float
    probe: str
    share: float
    crops: float
    mean: float
    half: float
    gain: float
    gain_half: float
    adds: str
    over: str
    since: float
    since_half: float
    more: float
    more_half: float
    enough: bool


@dataclass(frozen=True)
class Loss:
    """A task on which a row is worse after its largest budget than after a smaller one, by `difference`."""

    entry: Entry
    task: str
    fraction: float
    probe: str
    share: float
    difference: float
    half: float


def runs_by_budget(raw: pd.DataFrame, run: Run) -> dict[float, pd.DataFrame]:
    """Scores tables like that of `stats.prepare`, one for each budget; none where there is but one.

    Rows without pre-training are in each of them, snapshots on the way of a training in none.

    Args:
        raw: the result of `stats.read_scores`.
        run: which rows are pre-trained.
    """
    return {share: stats.prepare(table) for share, table in after_each(raw, run).items()}


def after_each(raw: pd.DataFrame, run: Run) -> dict[float, pd.DataFrame]:
    """The raw tables behind `runs_by_budget`: each as if it were all that has run."""
    if not {"share", "draws"} <= set(raw):
        return {}
    clean = raw[raw["severity"].fillna(0) == 0] if "severity" in raw else raw
    trained, share = clean["strategy"].map(run.pretext), clean["share"].fillna(1.0)
    ended = sorted(set(share[trained & clean["draws"].notna()]))
    if len(ended) < 2:
        return {}
    return {at: clean[~trained | (share == at)].assign(share=1.0) for at in ended}


def of_levels(found: Headline, budgets: Mapping[float, pd.DataFrame], run: Run) -> pd.DataFrame:
    """Level scores of runs after each budget, `strategy` with its budget; and those of untrained encoders."""
    parts = []
    for share, scores in budgets.items():
        runs = tables.main_runs(scores, run)
        for (probe, _), part in runs.groupby(["probe", "fraction"]):
            weights = found.weights.get(str(probe), {})
            level_of = {task: run.level(task) for task in weights}
            floor = headline.floors(runs[runs["probe"] == probe], run)
            parts.append(_named(levels.level_scores(part, level_of, weights, floor, run.up), share, run))
    return _once(parts)


def of_tasks(budgets: Mapping[float, pd.DataFrame], run: Run) -> pd.DataFrame:
    """Runs on main metrics after each budget, named as in `of_levels`."""
    return _once([_named(tables.main_runs(scores, run), share, run) for share, scores in budgets.items()])


def _named(runs: pd.DataFrame, share: float, run: Run) -> pd.DataFrame:
    kept = runs[runs["strategy"].map(lambda name: run.pretext(name) or name in UNTRAINED_ROWS).astype(bool)]
    after = [name if name in UNTRAINED_ROWS else f"{name}{_AFTER}{share!r}" for name in kept["strategy"]]
    return kept.assign(strategy=after)


def _once(parts: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    return table.drop_duplicates([*stats.CELL, *stats.RUN], ignore_index=True)


def crops_heard(raw: pd.DataFrame) -> dict[tuple[str, float], float]:
    """By strategy and share of the main budget, the crops of a training, on average over seeds and encoders."""
    keys = ["strategy", "share"]
    means = raw.assign(share=raw["share"].fillna(1.0)).groupby(keys, as_index=False)["crops"].mean()
    return {(name, share): crops for name, share, crops in means.itertuples(index=False, name=None)}


def steps(table: pd.DataFrame, crops: Mapping[tuple[str, float], float], run: Run) -> list[Step]:
    """Every row on every level after each of its budgets.

    Args:
        table: the result of `of_levels`.
        crops: by strategy and share, what it heard.
        run: which rows have nothing to seed.
    """
    cells, pairs = stats.summarize(table, _fixed(table, run)), _pairs(table, {}, run)
    added = _family(pairs[_over_the_better(pairs, cells)], [*MATRIX, "share"])
    enough, more, since = _enough(pairs), _more(pairs), _since(pairs)
    unknown = (np.nan, np.nan)
    found = []
    columns = [*stats.ENTRY, *MATRIX, "mean", "half_width"]
    for after, *where, level, fraction, probe, mean, half in cells[columns].itertuples(index=False, name=None):
        if after in UNTRAINED_ROWS:
            continue
        name, share = _parted(after)
        key = (name, *where, share, level, fraction, probe)
        gain = added.get(key, (*unknown, "missing", ""))
        heard = crops.get((name, share), np.nan)
        rest = (*gain, *since.get(key, unknown), *more.get(key, unknown), key in enough)
        step = Step(Entry(name, *where), level, fraction, probe, share, heard, mean, half, *rest)
        found.append(step)
    return found


def losses(table: pd.DataFrame, run: Run) -> list[Loss]:
    """Tasks on which the largest budget is worse than a smaller one, which is then said with the best of the smaller.

    Args:
        table: the result of `of_tasks`.
        run: directions of metrics.
    """
    pairs = _pairs(table, run.up, run)
    longest = pairs[_to_longest(pairs)]
    told = longest.assign(p=_holm(longest, [*stats.ENTRY, "fraction", "probe"]), size=longest["difference"].abs())
    up = np.array([1.0 if run.up.get(task, True) else -1.0 for task in told["task"]])
    worse = told[(told["p"] <= LEVEL) & (up * told["difference"] > 0)]
    keys = [*stats.ENTRY, *MATRIX]
    worst = worse.sort_values("size", ascending=False).drop_duplicates(keys).sort_values(keys)
    return [
        Loss(Entry(*row[:3]), row[3], row[4], row[5], row[6], -abs(row[7]), row[8])
        for row in worst[[*keys, "share", "difference", "half_width"]].itertuples(index=False, name=None)
    ]


def _pairs(table: pd.DataFrame, up: Mapping[str, bool], run: Run) -> pd.DataFrame:
    """Each row after each budget (`stats.ENTRY`, `share`) against what it is held against.

    `second` is an untrained encoder, or the row itself after the budget `than`.
    """
    origin = {name: _parted(name)[0] for name in table["strategy"].unique()}
    both = compare.both_ways(compare.pairwise(table, up, _fixed(table, run), origin))
    first = pd.DataFrame([_parted(name) for name in both["first_strategy"]], columns=["strategy", "share"])
    second = pd.DataFrame([_parted(name) for name in both["second_strategy"]], columns=["second", "than"])
    named = pd.concat([both.reset_index(drop=True), first, second], axis=1)
    named = named.rename(columns={"first_encoder": "encoder", "first_pretrain_corpus": "pretrain_corpus"})
    itself = (named["second"] == named["strategy"]) & (named["second_pretrain_corpus"] == named["pretrain_corpus"])
    nothing = named["second"].isin(UNTRAINED_ROWS) & ~named["strategy"].isin(UNTRAINED_ROWS)
    alike = named["second_encoder"] == named["encoder"]
    return named[alike & (itself | nothing)].reset_index(drop=True)


def _fixed(table: pd.DataFrame, run: Run) -> set[str]:
    """Rows with nothing to seed, as they are named here: encoders that were brought along stand after each budget."""
    return {str(name) for name in table["strategy"].unique() if _parted(str(name))[0] in run.fixed}


def _parted(name: str) -> tuple[str, float]:
    row, _, share = name.partition(_AFTER)
    return row, float(share or 0.0)


def _holm(pairs: pd.DataFrame, by: list[str]) -> pd.Series:
    """P-values of each family, corrected."""
    return pairs.groupby(by)["p"].transform(lambda p: compare.holm(p.to_numpy()))


def _over_the_better(pairs: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Pairs with an untrained encoder: of those that are alike, the one whose mean is highest."""
    where = ["encoder", *MATRIX]
    untrained = cells[cells["strategy"].isin(UNTRAINED_ROWS)].sort_values("mean", ascending=False)
    best = untrained.drop_duplicates(where).set_index(where)["strategy"]
    return pairs["second"] == best.reindex(pd.MultiIndex.from_frame(pairs[where])).to_numpy()


def _family(pairs: pd.DataFrame, by: list[str]) -> dict[tuple[object, ...], tuple[float, float, str, str]]:
    """By row, share, task, fraction and probe: difference, half-width, who is better (Holm), over whom."""
    told = _holm(pairs, by) <= LEVEL
    better = np.where(pairs["difference"] > 0, "first", "second")
    wins = np.where(pairs["p"].isna(), "missing", np.where(told, better, "tied"))
    keys = pairs[[*stats.ENTRY, "share", *MATRIX]].itertuples(index=False, name=None)
    values = zip(pairs["difference"], pairs["half_width"], wins, pairs["second"], strict=True)
    return {key: (float(d), float(h), str(w), str(over)) for key, (d, h, w, over) in zip(keys, values, strict=True)}


def _to_longest(pairs: pd.DataFrame) -> pd.Series:
    """Tested pairs of a row after a smaller budget with itself after its largest that can be tested."""
    itself = (pairs["second"] == pairs["strategy"]) & pairs["p"].notna()
    longest = pairs["share"].where(itself).groupby([pairs[name] for name in [*stats.ENTRY, *MATRIX]]).transform("max")
    return itself & (pairs["than"] == longest) & (pairs["share"] < longest)


def _more(pairs: pd.DataFrame) -> dict[tuple[object, ...], tuple[float, float]]:
    """By row, share, task, fraction and probe: what the largest budget adds, and its half-width."""
    part = pairs[_to_longest(pairs)]
    return _by_key(part.assign(difference=-part["difference"]))


def _since(pairs: pd.DataFrame) -> dict[tuple[object, ...], tuple[float, float]]:
    """By row, share above 1, task, fraction and probe: what was added to the main budget, and its half-width."""
    return _by_key(pairs[(pairs["second"] == pairs["strategy"]) & (pairs["than"] == 1) & (pairs["share"] > 1)])


def _by_key(pairs: pd.DataFrame) -> dict[tuple[object, ...], tuple[float, float]]:
    keys = pairs[[*stats.ENTRY, "share", *MATRIX]].itertuples(index=False, name=None)
    return dict(zip(keys, zip(pairs["difference"], pairs["half_width"], strict=True), strict=True))


def _enough(pairs: pd.DataFrame) -> set[tuple[object, ...]]:
    """Rows after budgets that are enough: the largest, and those from which on none is told to be worse."""
    part = pairs[_to_longest(pairs)]
    told = _holm(part, [*stats.ENTRY, *MATRIX]) <= LEVEL
    part = part.assign(told=told & (part["difference"] < 0)).sort_values("share", ascending=False)
    part["told"] = part.groupby([*stats.ENTRY, *MATRIX])["told"].cummax()
    keys = [*stats.ENTRY, "share", *MATRIX]
    longest = part.assign(share=part["than"])
    return {key for rows in (part[~part["told"]], longest) for key in rows[keys].itertuples(index=False, name=None)}
