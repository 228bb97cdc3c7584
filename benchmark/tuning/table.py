"""What a search found, kept: every trial in a table, and a page of Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.bookkeeping import provenance
from benchmark.files import replacing
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.checkpoints import heard_by_all
from benchmark.tuning.trials import Trial

TRIALS, PAGE = "trials.csv", "README.md"
_TEXTS = ("row", "options", "error", "commit")
_FACTS = ("row", "setting", "crops", "options", "mean", "goes_on", "chosen", "error", "commit")


def write(folder: Path, grid: Grid, trials: Sequence[Trial]) -> None:
    """Put the trials in the place of those of the same rows that an earlier search left there."""
    last = max(grid.search.rungs) if grid.search else 0
    commit = _commit()
    new = pd.DataFrame([_record(trial, last, commit) for trial in trials])
    path = folder / TRIALS
    if path.is_file():
        old = read(path)
        new = pd.concat([old[~old["row"].isin(new["row"])], new], ignore_index=True)
    new = new.sort_values(["row", "crops", "setting"], ignore_index=True)
    with replacing(path) as draft:
        new.to_csv(draft, index=False)
    with replacing(folder / PAGE) as draft:
        draft.write_text(page(grid, new), encoding="utf-8")


def read(path: Path) -> pd.DataFrame:
    """The table as it was: a cell of text is what it says, an empty number is none."""
    header = pd.read_csv(path, nrows=0).columns
    return pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in header.difference(list(_TEXTS))})


def page(grid: Grid, trials: pd.DataFrame) -> str:
    """The trials as Markdown, row by row; the chosen setting is set in bold."""
    lines = [
        "# An equal search",
        "",
        f"Written by `python -m benchmark tune` (grid `{grid.name}`) on {heard_by_all(grid)}; `trials.csv` has the "
        "same, and the commit.",
        "",
        f"Scores are of probes on *validation* tracks ({', '.join(map(str, grid.probes))}, "
        f"{', '.join(f'{fraction:.0%}' for fraction in grid.fractions)} of the labels, seeds "
        f"{', '.join(map(str, grid.seeds))}); the mean over the tasks decides. Setting 0 is the row as it stood. "
        "Of each option every value got its turn about equally often (a Latin hypercube). Rows may have been searched "
        "at different times, over more or fewer settings: each is compared with itself alone.",
    ]
    for row, own in trials.groupby("row", sort=True):
        tasks = [task for task in own if task not in _FACTS and own[task].notna().any()]
        options = list(dict.fromkeys(option for text in own["options"] for option in json.loads(text)))
        heads = ["setting", "crops", *options, *tasks, "mean"]
        rungs = own.groupby("crops").size().items()
        told = ", then ".join(f"{count} setting{'s' * (count > 1)} on {crops:,} crops" for crops, count in rungs)
        lines += [
            "",
            f"## {row}",
            "",
            f"{told}.".capitalize(),
            "",
            f"| {' | '.join(heads)} |",
            f"|{'---|' * len(heads)}",
        ]
        for trial in own.to_dict("records"):
            setting = json.loads(trial["options"])
            cells = [str(trial["setting"]), f"{trial['crops']:,}", *(_plain(setting.get(option)) for option in options)]
            cells += [_score(trial[task]) for task in [*tasks, "mean"]] if not trial["error"] else [trial["error"]]
            bold = "**" if trial["chosen"] else ""
            lines.append("| " + " | ".join(f"{bold}{cell}{bold}" for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _record(trial: Trial, last: int, commit: str) -> dict[str, Any]:
    return {
        "row": trial.row,
        "setting": trial.number,
        "crops": trial.crops,
        "options": json.dumps(trial.setting),
        **{task: round(score, 4) for task, score in trial.scores.items()},
        "mean": round(trial.mean, 4) if trial.scores and not trial.error else None,
        "goes_on": trial.goes_on,
        "chosen": trial.goes_on and trial.crops == last,
        "error": trial.error,
        "commit": commit,
    }


def _commit() -> str:
    found = provenance.environment()
    return f"{found.get('commit', '')}{' and changes' if found.get('dirty') else ''}"


def _plain(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value).replace("|", "/")


def _score(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
