"""A grid: what to cross with what, checked before anything runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark import registry
from benchmark.interfaces import Config
from benchmark.pretraining.budget import PretrainConfig, own_recipe
from benchmark.scheduler.space import Search


class Audio(Config):
    """Which sound to have: a corpus, and how.

    Attributes:
        corpus: its name.
        size: one of its sizes.
        allow_missing: whether a data set with more than 2 % unreadable files is used all the same.
    """

    corpus: str
    size: str
    allow_missing: bool = False


class Snapshots(Config):
    """Where a training is looked at on its way, besides at its end.

    Attributes:
        at: shares of the training.
        tasks: those of the grid's that are read there; by default all.
    """

    at: list[float]
    tasks: list[str] = []

    @field_validator("at")
    @classmethod
    def _on_the_way(cls, value: list[float]) -> list[float]:
        for share in value:
            if not 0 < share < 1:
                raise ValueError(f"{share} is not a share between 0 and 1; the end is read anyway")
        return sorted(set(value))


#: what a row says of itself, beside its strategy's options: which one it is, if not its name; its own encoders; in what
#: its pre-training differs from the grid's; how many of the grid's seeds it has; of a row that is trained on each draw
#: of labels, how many of a fraction's; and whose exported weights its encoder starts from
OF_ROWS = ("strategy", "encoders", "pretrain", "seeds", "draws", "weights")


class Grid(Config):
    """Strategies x encoders x seeds, pre-trained on a corpus, probed on tasks x fractions x resamples.

    Attributes:
        strategies: rows by name, each with the options of its strategy, and what it says of itself (`OF_ROWS`).
        encoders: of all rows that name none of their own.
        corpus: to pre-train on, or several; the `size` of the first is also that of its own tasks.
        budgets: crops of all trainings where `pretrain.crops` lists several: each seed is pre-trained on as many as its
            largest, at a constant rate, from which the shorter trainings branch off, each with a fall of its own.
        budget_seeds: how many of a row's seeds have each budget, where `pretrain.crops` says so: by
            `{250000: 3, 500000: 1}` one of three goes on; rows are compared after what all have.
        protocol: `probe` reads the frozen encoder; `finetune` trains it on, under a head of each kind of probe.
        sizes: of other corpora that tasks bring along, by name; by default the same, or else all there is.
        allow_missing: whether data sets with more than 2 % unreadable files are used all the same.
        corruptions: severities (1 to 4) by name, at which test audio is scored beside the clean one.
        control: rows whose probes learn shuffled labels besides, once per task: what scores above chance then, leaks.
        shuffle_labels: whether all probes do.
        snapshots: where on the way trainings are looked at, for curves of score against crops heard; what is asked for
            later costs that part of each training once more.
        absent: what becomes of tasks whose data sets are not on this disk: the grid is refused, or they are left out.
        left_out: by data set, the tasks that a run left out.
        search: which settings of which rows `tune` tries; a run takes no notice of it.
        variants: by name, fields with other values; `NAME:VARIANT` is read as the grid with these in their place.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    corpus: str | list[str]
    size: str
    strategies: dict[str, dict[str, Any]] = Field(min_length=1)
    encoders: list[str] = Field(min_length=1)
    tasks: list[str] = Field(min_length=1)
    fractions: dict[float, int] = Field(min_length=1)
    probes: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    pretrain: PretrainConfig
    budgets: list[int] = []
    budget_seeds: dict[int, int] = {}
    protocol: Literal["probe", "finetune"] = "probe"
    shuffle_labels: bool = False
    sizes: dict[str, str] = {}
    allow_missing: bool = False
    corruptions: dict[str, list[int]] = {}
    snapshots: Snapshots = Snapshots(at=[])
    control: list[str] = []
    absent: Literal["refuse", "skip"] = "refuse"
    left_out: dict[str, list[str]] = {}
    search: Search | None = None
    variants: dict[str, dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _several_budgets(cls, given: Any) -> Any:
        """`pretrain: {crops: [125000, 250000]}`, or `{125000: 3, 250000: 1}`: how many seeds have each."""
        pretrain = given.get("pretrain") if isinstance(given, dict) else None
        if not isinstance(pretrain, dict) or not isinstance(crops := pretrain.get("crops"), list | dict):
            return given
        if not crops or not all(type(n) is int and n > 0 for n in crops):
            raise ValueError(f"pretrain.crops: {crops} is no number, no list of some, nor how many seeds have each")
        seeds = dict(sorted(crops.items())) if isinstance(crops, dict) else {}
        for budget, n in seeds.items():
            if type(n) is not int or n < 1:
                raise ValueError(f"pretrain.crops: {budget}: {n!r} is not how many seeds have this budget, one or more")
        found = {"pretrain": {**pretrain, "crops": max(crops)}, "budgets": sorted(set(crops)), "budget_seeds": seeds}
        return {**given, **found}

    @model_validator(mode="after")
    def _budgets_branch_off(self) -> Self:
        if self.budgets and self.budgets[-1] != self.pretrain.crops:
            raise ValueError("budgets: they are given under pretrain.crops")
        if self.budget_seeds and sorted(self.budget_seeds) != self.budgets:
            raise ValueError("budget_seeds: they are given under pretrain.crops")
        if self.budgets and (self.pretrain.schedule != "wsd" or self.pretrain.warmup is not None):
            raise ValueError(
                "several budgets branch off one training: they need pretrain.schedule wsd and warmup_crops"
            )
        if self.budgets and (self.snapshots.at or self.protocol != "probe"):
            raise ValueError("several budgets: read with frozen weights (protocol probe), and in place of snapshots")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.snapshots.at and self.protocol != "probe":
            raise ValueError("snapshots are read with frozen weights: they need the protocol probe")
        if self.control and self.protocol != "probe":
            raise ValueError("the control is of frozen weights: it needs the protocol probe")
        foreign = [name for name in self.control if name not in self.strategies]
        if foreign:
            raise ValueError(f"control: {', '.join(foreign)} is not among the strategies")
        foreign = [name for name in (self.search.spaces if self.search else ()) if name not in self.strategies]
        if foreign:
            raise ValueError(f"search.spaces: {', '.join(foreign)} is not among the strategies")
        return self

    @field_validator("strategies", mode="before")
    @classmethod
    def _options(cls, value: Any) -> Any:
        """A list of names, or a mapping from names to options."""
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return {name: {} for name in cls._once(value)}
        return {k: v or {} for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("strategies")
    @classmethod
    def _named(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"{name!r}: a name is 1 to 64 letters, digits, _ and -")
        return value

    @field_validator("strategies")
    @classmethod
    def _on_encoders(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, options in value.items():
            own = options.get("encoders", [name])
            if not isinstance(own, list) or not own or not all(isinstance(encoder, str) for encoder in own):
                raise ValueError(f"{name}.encoders: {own!r} is not a list of encoders")
            cls._once(own)
        return value

    @field_validator("strategies")
    @classmethod
    def _repeated(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, options in value.items():
            seeds, draws = options.get("seeds", 1), options.get("draws", {})
            if type(seeds) is not int or seeds < 1:
                raise ValueError(f"{name}.seeds: {seeds!r} is not how many of the grid's seeds, one or more")
            if not isinstance(draws, dict) or any(
                not isinstance(fraction, float | int) or type(n) is not int or n < 1 for fraction, n in draws.items()
            ):
                raise ValueError(f"{name}.draws: {draws!r} is not a number of draws, one or more, for some fractions")
        return value

    @field_validator("strategies")
    @classmethod
    def _with_recipes(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, options in value.items():
            own = options.get("pretrain", {})
            if not isinstance(own, dict):
                raise ValueError(f"{name}.pretrain: {own!r} is not a mapping")
            try:
                own_recipe(own)
            except ValidationError as error:
                lines = [
                    f"{name}.pretrain.{'.'.join(map(str, e['loc']))}: {registry.said(e, PretrainConfig)}"
                    for e in error.errors()
                ]
                raise ValueError("; ".join(lines)) from error
            except ValueError as error:
                raise ValueError(f"{name}.pretrain.{error}") from error
        return value

    @field_validator("corpus")
    @classmethod
    def _some(cls, value: str | list[str]) -> str | list[str]:
        if not value:
            raise ValueError("name a corpus to pre-train on")
        return value if isinstance(value, str) else cls._once(value)

    @field_validator("fractions")
    @classmethod
    def _sensible(cls, value: dict[float, int]) -> dict[float, int]:
        for fraction, resamples in value.items():
            if not 0 < fraction <= 1:
                raise ValueError(f"{fraction} is not a fraction in (0, 1]")
            if resamples < 1:
                raise ValueError(f"{fraction}: {resamples} is no number of label draws; at least one is")
        return value

    @field_validator("probes")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for probe in value:
            if probe not in ("linear", "mlp"):
                raise ValueError(f"unknown probe {probe!r}; known: linear, mlp")
        return value

    @field_validator("encoders", "tasks", "probes", "seeds")
    @classmethod
    def _once(cls, value: list[Any]) -> list[Any]:
        twice = [item for item, count in Counter(value).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is listed twice")
        return value

    @field_validator("seeds")
    @classmethod
    def _natural(cls, value: list[int]) -> list[int]:
        for seed in value:
            if not 0 <= seed < 2**63:
                raise ValueError(f"{seed}: a seed is between 0 and 2^63 - 1")
        return value

    @property
    def corpora(self) -> list[str]:
        """Those that it pre-trains on."""
        return [self.corpus] if isinstance(self.corpus, str) else self.corpus

    def seeds_of(self, row: str) -> list[int]:
        """The seeds of a row: the grid's, or the first of them."""
        return self.seeds[: self.strategies[row].get("seeds")]

    def budgets_of(self, row: str, seed: int) -> list[int]:
        """The budgets that a row has of a seed."""
        seeds = self.seeds_of(row)
        nth = seeds.index(seed) if seed in seeds else 0  # a row that brings its encoder has one seed, whichever
        return [crops for crops, count in self.seeds_after.items() if nth < count]

    @property
    def seeds_after(self) -> dict[int, int]:
        """How many of the seeds have each of several budgets."""
        every = len(self.seeds)
        return {crops: min(self.budget_seeds.get(crops, every), every) for crops in self.budgets}

    @property
    def main_budget(self) -> int:
        """After which rows are compared."""
        if not self.budgets:
            return self.pretrain.crops
        asked = [(row, seed) for row in self._trained for seed in self.seeds_of(row) for _ in self.encoders_of(row)]
        return int(main_budget([self.budgets_of(*each) for each in asked] or [self.budgets]))

    @property
    def _trained(self) -> list[str]:
        methods = {row: str(options.get("strategy", row)) for row, options in self.strategies.items()}
        return [row for row, method in methods.items() if registry.strategies.get(method).trains]

    def draws_of(self, row: str) -> dict[float, int]:
        """How many label draws of each fraction a row has: the grid's, or fewer."""
        own = self.strategies[row].get("draws", {})
        return {fraction: min(n, own.get(fraction, n)) for fraction, n in self.fractions.items()}

    def encoders_of(self, row: str) -> list[str]:
        """The encoders that a row is crossed with."""
        own: list[str] = self.strategies[row].get("encoders", self.encoders)
        return own

    @property
    def all_encoders(self) -> list[str]:
        """Those of any row."""
        return list(dict.fromkeys(e for row in self.strategies for e in self.encoders_of(row)))


def main_budget(trained: Iterable[Collection[float]]) -> float:
    """What the greatest number of trainings have, of several such the largest: all, unless a few go further alone.

    Args:
        trained: the budgets of each.
    """
    found = Counter(budget for budgets in trained for budget in set(budgets))
    return max(found, key=lambda budget: (found[budget], budget))
