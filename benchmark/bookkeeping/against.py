"""Rows that another run has computed, beside those of this one: taken over where they would have been made alike here.

They are compared as any others, on the same test items; page, table and `run.json` say whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import registry
from benchmark.bookkeeping import provenance
from benchmark.bookkeeping.tables import NAMES, RECORD, check_tables
from benchmark.files import read_json
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import nominal
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.checkpoints import heard_by_all
from benchmark.scheduler.planning.edits import engines, version_of

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.store.job import Job

#: kinds of jobs whose version decides what a score is
_DECIDE = ("labels", "trunk", "pretrain", "embed", "probe", "supervised")
#: libraries that rendered sound is computed with: it is the same by any of their versions, but for rounding
_ARITHMETIC = {"numpy", "scipy"}


@dataclass(frozen=True)
class Against:
    """Another results folder, of whose rows some are shown.

    Attributes:
        folder: with its tables and record.
        record: its `run.json`.
    """

    folder: Path
    record: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Against:
        """Open it.

        Raises:
            UserError: it is no results folder, or damaged.
        """
        record = read_json(folder / RECORD)
        if not isinstance(record, dict) or not all((folder / name).is_file() for name in NAMES):
            raise UserError(f"--against {folder}: no results folder; name one that has {', '.join((*NAMES, RECORD))}")
        check_tables(folder)
        return cls(folder, record)

    def check(self, grid: Grid, jobs: dict[str, Job]) -> None:
        """Make sure that its scores would be the same if they were made here.

        Raises:
            UserError: engine, components, corpora or budgets differ, or there is no task in common.
        """
        here = engines()
        self._check_versions("jobs", self.record.get("engine", {}), {kind: here[kind] for kind in _DECIDE})
        for axis, there in self.record.get("components", {}).items():
            known: registry.Registry[Any] = getattr(registry, axis)
            self._check_versions(
                axis, there, {name: version_of(known, name) for name in there if name in known.names()}
            )
        tasks = {name: note for name, note in self.record.get("tasks", {}).items() if name in grid.tasks}
        if not tasks:
            self._refuse(f"it has none of the tasks {', '.join(grid.tasks)}")
        if (heard := self.record["settings"].get("corpus")) != (own := heard_by_all(grid)):
            self._refuse(f"its rows heard {heard}, not {own}")
        for corpus, fingerprint in provenance.corpora(jobs).items():
            if corpus.partition(",")[0] in {note["corpus"] for note in tasks.values()}:
                self._check_corpus(corpus, fingerprint)
        if (there := self._budgets()) and not there & _budgets(grid):
            listed = " or ".join(f"{crops:,.0f}" for crops in sorted(there))
            self._refuse(f"its rows heard {listed} crops; ask for as many (--set pretrain.crops=N)")

    def _check_versions(self, what: str, there: dict[str, int | str], here: Mapping[str, int | str]) -> None:
        for name, version in here.items():
            if there.get(name) != version:
                self._refuse(f"of its {what}, {name} is of version {there.get(name, 'unknown')}, here it is {version}")

    def _check_corpus(self, corpus: str, fingerprint: dict[str, Any]) -> None:
        there = self.record.get("corpora", {}).get(corpus)
        if there is None:
            self._refuse(f"it was not scored on {corpus}, but on {'; '.join(self.record.get('corpora', {}))}")
        names = sorted((set(fingerprint) | set(there)) - _ARITHMETIC)
        if differs := [name for name in names if fingerprint.get(name) != there.get(name)]:
            told = ", ".join(f"{name} {there.get(name)} (here {fingerprint.get(name)})" for name in differs)
            self._refuse(f"{corpus} was made with {told}")

    def tables(self, grid: Grid, own: set[str]) -> dict[str, pd.DataFrame]:
        """Its scores and draws by name of the table, as far as this grid asks for the same.

        Args:
            grid: what is asked for.
            own: rows that are computed here; of those nothing is taken over.
        """
        import pandas as pd

        found = {name: pd.read_parquet(self.folder / name) for name in NAMES}
        scores = found[NAMES[0]]
        untrained = {row for row, crops in scores.groupby("strategy")["crops"] if crops.isna().all()}
        main = scores.loc[scores["share"].fillna(1.0) == 1, "crops"].max()
        fractions = {round(fraction, 6) for fraction in grid.fractions}
        for name, table in found.items():
            crops = table["share"].fillna(1.0).mul(1.0 if main != main else main).map(nominal)
            table = table.assign(share=1.0, crops=crops.mask(table["strategy"].isin(untrained)))
            # of its budgets alone: what was read on the way to one is no training of that length
            same = table["crops"].isna() | table["crops"].isin(_budgets(grid) & self._budgets())
            same &= table["task"].isin(grid.tasks) & table["fraction"].round(6).isin(fractions)
            same &= table["probe"].isin(grid.probes) & ~table["strategy"].isin(own)
            found[name] = table[same]
        return found

    def told(self, record: dict[str, Any], shown: set[str]) -> dict[str, Any]:
        """This run's record with what is known of the rows that are taken over."""
        planned = self.record.get("budget_seeds", {})
        rows = {
            name: {"budget_seeds": planned, **note, "origin": self.name}
            for name, note in self.record["strategies"].items()
            if name in shown
        }
        source = self.record.get("environment", {}).get("commit", "")
        what = f"{', '.join(rows)}: computed by another run, {self.name}" + (f", at commit {source}" if source else "")
        return {
            **record,
            "strategies": {**record["strategies"], **rows},
            "pretraining": [
                *record["pretraining"],
                *(job for job in self.record.get("pretraining", []) if job["strategy"] in rows),
            ],
            "warnings": [*record["warnings"], *([what] if rows else [])],
        }

    @property
    def name(self) -> str:
        """What its rows are marked with."""
        return str(self.record.get("grid") or self.folder.name)

    def _budgets(self) -> set[float]:
        """Crops that its pre-trainings heard, as people say them."""
        jobs = self.record.get("pretraining", [])
        every = {float(crops) for job in jobs for crops in job.get("lengths") or {job.get("crops"): None} if crops}
        return {nominal(crops) for crops in every}

    def _refuse(self, why: str) -> None:
        raise UserError(f"--against {self.folder}: {why}; such scores cannot stand beside each other")


def _budgets(grid: Grid) -> set[float]:
    return {nominal(crops) for crops in grid.budgets or [grid.pretrain.crops]}
