"""A grid: what to cross with what. Read from YAML, checked before anything runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark import registry
from benchmark.interfaces import Config, UserError
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


#: what a row says of itself, beside its strategy's options: which one it is, if not its name; its own encoders; and in
#: what its pre-training differs from the grid's
OF_ROWS = ("strategy", "encoders", "pretrain")


class Grid(Config):
    """Strategies x encoders x seeds, pre-trained on one corpus, probed on tasks x fractions x resamples.

    Attributes:
        strategies: rows by name, each with the options of its strategy, and what it says of itself (`OF_ROWS`).
        encoders: of all rows that name none of their own.
        corpus: to pre-train on; its `size` is also that of its own tasks.
        protocol: `probe` reads the frozen encoder; `finetune` trains it on, under a head of each kind of probe.
        sizes: of other corpora that tasks bring along, by name; by default the same, or else all there is.
        allow_missing: whether data sets with more than 2 % unreadable files are used all the same.
        corruptions: severities (1 to 4) by name, at which test audio is scored beside the clean one.
        control: rows whose probes learn shuffled labels besides, once per task: what scores above chance then, leaks.
        shuffle_labels: whether all probes do.
        snapshots: where on the way trainings are looked at, for curves of score against crops heard.
        search: which settings of which rows `tune` tries; a run takes no notice of it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    corpus: str
    size: str
    strategies: dict[str, dict[str, Any]] = Field(min_length=1)
    encoders: list[str] = Field(min_length=1)
    tasks: list[str] = Field(min_length=1)
    fractions: dict[float, int] = Field(min_length=1)
    probes: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    pretrain: PretrainConfig
    protocol: Literal["probe", "finetune"] = "probe"
    shuffle_labels: bool = False
    sizes: dict[str, str] = {}
    allow_missing: bool = False
    corruptions: dict[str, list[int]] = {}
    snapshots: Snapshots = Snapshots(at=[])
    control: list[str] = []
    search: Search | None = None

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
            return {name: {} for name in value}
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
    def _with_recipes(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, options in value.items():
            own = options.get("pretrain", {})
            if not isinstance(own, dict):
                raise ValueError(f"{name}.pretrain: {own!r} is not a mapping")
            try:
                own_recipe(own)
            except ValidationError as error:
                lines = [f"{name}.pretrain.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
                raise ValueError("; ".join(lines)) from error
            except ValueError as error:
                raise ValueError(f"{name}.pretrain.{error}") from error
        return value

    @field_validator("fractions")
    @classmethod
    def _sensible(cls, value: dict[float, int]) -> dict[float, int]:
        for fraction, resamples in value.items():
            if not 0 < fraction <= 1 or resamples < 1:
                raise ValueError(f"{fraction}: {resamples} is not a fraction in (0, 1] with at least one resample")
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

    def encoders_of(self, row: str) -> list[str]:
        """The encoders that a row is crossed with."""
        own: list[str] = self.strategies[row].get("encoders", self.encoders)
        return own

    @property
    def all_encoders(self) -> list[str]:
        """Those of any row."""
        return list(dict.fromkeys(e for row in self.strategies for e in self.encoders_of(row)))


def names() -> list[str]:
    """The grids that come with the package."""
    return sorted(p.name.removesuffix(".yaml") for p in files("benchmark.grids").iterdir() if p.name.endswith(".yaml"))


def text_of(name: str) -> str:
    """The YAML of a grid by name or path.

    Raises:
        UserError: there is no such grid.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise UserError(f"{name}: no such grid file")
        return path.read_text(encoding="utf-8")
    if name not in names():
        raise registry.unknown("grids", name, names())
    return (files("benchmark.grids") / f"{name}.yaml").read_text(encoding="utf-8")


def load(name: str, changes: Mapping[str, Any] | None = None) -> Grid:
    """Read and check a grid.

    Args:
        changes: values by dotted path, such as `pretrain.batch_size`, that replace what the file says.

    Raises:
        UserError: unknown name, broken YAML, unknown or wrong field (each is named).
    """
    try:
        raw = yaml.safe_load(text_of(name))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates, numbers, bytes that are none
        raise UserError(f"{name}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise UserError(f"{name}: a grid is a mapping, this is {type(raw).__name__}")
    for path, value in (changes or {}).items():
        _put(raw, path, value)
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{name}: the grid is malformed\n" + "\n".join(lines)) from error


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    """Set a value deep in a mapping; what is unknown there, the grid's own check will name.

    Raises:
        UserError: the path leads through something that is no mapping.
    """
    *way, last = path.split(".")
    for step in way:
        inner = raw[step] = {} if raw.get(step) is None else raw[step]  # `simclr:` alone is null in YAML
        if isinstance(inner, list) and all(isinstance(name, str) for name in inner):
            inner = raw[step] = {name: {} for name in inner}  # a list of strategies, none with options
        if not isinstance(inner, dict):
            raise UserError(f"--set {path}: {step} is not a mapping; set it as a whole")
        raw = inner
    raw[last] = value


def change(text: str) -> tuple[str, Any]:
    """`a.b=c` to the path and the value, which is read as YAML.

    Raises:
        UserError: there is no `=`, or the value is no YAML.
    """
    path, equals, value = text.partition("=")
    if not (path.strip() and equals):
        raise UserError(f"--set {text}: write a.b=c, for example pretrain.batch_size=128")
    try:
        return path.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"--set {text}: not valid YAML: {error}") from error


def narrow(
    grid: Grid,
    strategies: Sequence[str] = (),
    tasks: Sequence[str] = (),
    fractions: Sequence[float] = (),
    budget: float = 1.0,
) -> Grid:
    """Keep only these strategies, tasks and fractions (all if empty).

    Strategies and tasks that the grid lacks are added with default options; a fraction, with as many draws as the
    others have at most, and a single one of all tracks.

    Args:
        budget: multiplies the crops that pre-training hears, in a search as well.
    """
    if not math.isfinite(budget):
        raise UserError(f"--budget {budget}: give a finite number")
    most = max(grid.fractions.values())
    raw = grid.model_dump(exclude_unset=True)  # what nobody has set, strategies may
    raw["pretrain"]["crops"] = max(1, round(budget * grid.pretrain.crops))
    if strategies:
        raw["strategies"] = {name: grid.strategies.get(name, {}) for name in strategies}
        raw["control"] = [name for name in grid.control if name in strategies]
    if grid.search:
        raw["search"] = _narrow_search(grid.search, raw["strategies"], budget)
    if tasks:
        raw["tasks"] = list(tasks)
    if fractions:
        raw["fractions"] = {f: grid.fractions.get(f, most if f < 1 else 1) for f in fractions}
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        raise UserError("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from error


def _narrow_search(search: Search, rows: Mapping[str, Any], budget: float) -> dict[str, Any] | None:
    """Only for these rows; None if it is for none of them."""
    spaces = {row: space for row, space in search.spaces.items() if row in rows}
    rungs = {max(1, round(budget * crops)): kept for crops, kept in search.rungs.items()}
    return {"rungs": rungs, "spaces": spaces, "seed": search.seed} if spaces else None
