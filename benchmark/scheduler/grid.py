"""A grid: what to cross with what. Read from YAML, checked before anything runs."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from benchmark import registry
from benchmark.experiment.budget import PretrainConfig
from benchmark.interfaces import Config, UserError


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


class Grid(Config):
    """Strategies x encoders x seeds, pre-trained on one corpus, probed on tasks x fractions x resamples.

    Attributes:
        corpus: to pre-train on; its `size` is also that of its own tasks.
        protocol: `probe` reads the frozen encoder; `finetune` trains it on, under a head of each kind of probe.
        sizes: of other corpora that tasks bring along, by name; by default the same, or else all there is.
        allow_missing: whether data sets with more than 2 % unreadable files are used all the same.
        corruptions: severities (1 to 4) by name, at which test audio is scored beside the clean one.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    corpus: str
    size: str
    strategies: dict[str, dict[str, Any]]
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

    @field_validator("strategies", mode="before")
    @classmethod
    def _options(cls, value: Any) -> Any:
        """A list of names, or a mapping from names to options."""
        if isinstance(value, list):
            return {name: {} for name in value}
        return {k: v or {} for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("strategies")
    @classmethod
    def _named(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"{name!r}: a name is 1 to 64 letters, digits, _ and -")
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
        if min(value) < 0:
            raise ValueError(f"{min(value)}: a seed is not negative")
        return value


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


def load(name: str) -> Grid:
    """Read and check a grid.

    Raises:
        UserError: unknown name, broken YAML, unknown or wrong field (each is named).
    """
    try:
        raw = yaml.safe_load(text_of(name))
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise UserError(f"{name}: a grid is a mapping, this is {type(raw).__name__}")
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{name}: the grid is malformed\n" + "\n".join(lines)) from error


def narrow(grid: Grid, strategies: list[str], tasks: list[str], budget: float = 1.0) -> Grid:
    """Keep only these strategies and tasks (all if empty); ones that the grid lacks are added with default options.

    Args:
        budget: multiplies the crops that pre-training hears.
    """
    chosen = {name: grid.strategies.get(name, {}) for name in strategies} if strategies else grid.strategies
    pretrain = grid.pretrain.model_copy(update={"crops": max(1, round(budget * grid.pretrain.crops))})
    return grid.model_copy(update={"strategies": chosen, "tasks": tasks or grid.tasks, "pretrain": pretrain})
