"""Rows of the leaderboard: a grid's strategies with their options, and the encoders that they can train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark import registry
from benchmark.encoders.exported import About, about_of, check_version
from benchmark.interfaces import UserError, one_line
from benchmark.pretraining.budget import PretrainConfig
from benchmark.scheduler.grid import OF_ROWS, Grid


@dataclass(frozen=True)
class Row:
    """A row of the leaderboard: a strategy with its options, under the name that the grid gives it.

    Attributes:
        pretrain: in what its pre-training differs from the grid's.
        start: the export whose weights its encoder starts from, and what that says of itself; None: from new ones.
    """

    name: str
    strategy: str
    cls: Any
    config: Any
    pretrain: dict[str, Any]
    start: tuple[Path, About] | None = None

    @classmethod
    def of(cls, name: str, options: dict[str, Any]) -> Row:
        """Resolve an entry of the grid; `strategy: NAME` among its options makes it a variant of that strategy.

        Raises:
            UserError: no such strategy, a wrong option (each is named), encoders for one that brings its own, or draws
                for one that probes read; no weights for one that is nothing else, or none that can be used.
        """
        strategy = str(options.get("strategy", name))
        found = registry.strategies.get(strategy)
        try:
            config = found.Config.model_validate({k: v for k, v in options.items() if k not in OF_ROWS})
        except ValidationError as error:
            lines = [
                f"strategies.{name}.{'.'.join(map(str, e['loc']))}: {registry.said(e, found.Config)}"
                for e in error.errors()
            ]
            raise UserError("; ".join(lines)) from error
        _check_crops(name, found, config)
        if "draws" in options and not found.supervised:
            raise UserError(f"strategies.{name}.draws: probes read all draws of a fraction at once; leave it out")
        row = cls(name, strategy, found, config, options.get("pretrain", {}), _start(name, found, options))
        if "encoders" in options and row.brings is not None:
            raise UserError(f"strategies.{name}.encoders: {strategy} brings its own, {row.brings}")
        return row

    @property
    def hears(self) -> bool:
        """Whether its encoder depends on the pre-training corpus, by its weights or by BatchNorm's statistics alone."""
        return bool(self.cls.trains or self.cls.settled)

    def checkpoints(self, grid: Grid) -> list[tuple[str, int]]:
        """(encoder, seed) pairs; a strategy with its own handcrafted encoder has nothing to seed, nor have weights."""
        own = self.brings
        crossed = [(encoder, seed) for encoder in grid.encoders_of(self.name) for seed in grid.seeds_of(self.name)]
        return crossed if own is None else [(own, 0)]

    @property
    def brings(self) -> str | None:
        """The encoder that it brings, whatever the grid's are: handcrafted features, or whatever an export is of."""
        found: str | None = self.start[1].encoder if self.cls.imported and self.start else self.cls.encoder_name
        return found

    @property
    def pretext(self) -> bool:
        """Whether it stands for a pretext task, here or in an earlier run; all others are baselines."""
        return bool(self.cls.trains or self.cls.imported)

    def budget(self, grid: Grid) -> PretrainConfig:
        """How it is pre-trained: as the row says, else as the grid does, else as its strategy does best.

        Raises:
            UserError: these do not go together.
        """
        found = {"batch_size": self.cls.batch_size, "warmup_crops": self.cls.warmup_crops}
        try:
            return grid.pretrain.over(found, self.pretrain)
        except ValidationError as error:
            raise UserError(f"strategies.{self.name}.pretrain: {error.errors()[0]['msg']}") from error

    def variants(self, grid: Grid) -> dict[str, str]:
        """What it is called on each of its encoders, where that is not the paper's method."""
        found = {encoder: self.variant(encoder) for encoder, _ in self.checkpoints(grid)}
        return {encoder: variant for encoder, variant in found.items() if variant}

    def variant(self, encoder: str) -> str:
        """What it is called on an encoder; empty where it is the paper's method."""
        variant: str = self.cls.variant(registry.encoders.get(encoder))
        return variant

    def on(self, encoder: str) -> str:
        """The encoder in a job's name, beside what the method is called there: `cnn_small (CNN masking)`."""
        variant = self.variant(encoder)
        return f"{encoder} ({variant})" if variant else encoder

    def label(self, encoder: str, seed: int) -> str:
        """What the names of a checkpoint's jobs have in common."""
        return f"{self.name} {self.on(encoder)} seed {seed}"


def rows(grid: Grid) -> list[Row]:
    """The grid's strategies, resolved."""
    return [Row.of(name, options) for name, options in grid.strategies.items()]


def _start(name: str, strategy: Any, options: dict[str, Any]) -> tuple[Path, About] | None:
    """Whose weights a row starts from."""
    source = options.get("weights")
    if source is None:
        if strategy.imported:
            raise UserError(f"strategies.{name}: has no weights of its own; say whose: weights: FOLDER of an export")
        return None
    if not (strategy.imported or strategy.trains):
        raise UserError(f"strategies.{name}.weights: {strategy.info.name} trains nothing; leave them out")
    if not isinstance(source, str):
        raise UserError(f"strategies.{name}.weights: {source!r} is no folder of an export")
    folder, about = about_of(source)
    check_version(folder, about)
    return folder.absolute(), about


def _check_crops(name: str, found: Any, config: Any) -> None:
    """Ask for crops once, before anything is planned on what it says."""
    from benchmark.modules import Crops

    try:
        said = found.crops(config)
    except Exception as error:
        raise UserError(f"strategies.{name}: its crops(config) fails: {one_line(error)}") from error
    if not isinstance(said, Crops):
        raise UserError(f"strategies.{name}: its crops(config) gives a {type(said).__name__}; it must be a Crops")


def compatible(row: Row, encoder: str) -> Any:
    """The encoder's class.

    Raises:
        UserError: the strategy cannot train it.
    """
    loaded = registry.encoders.get(encoder)
    if row.cls.trains and not loaded.offers:
        raise UserError(f"{row.name} cannot train {encoder}: there is nothing to train in it")
    if row.start and row.start[1].encoder != encoder:
        raise UserError(f"{row.name} starts from weights of {row.start[1].encoder}: it cannot train {encoder}")
    lacking = row.cls.needs - loaded.offers
    if lacking:
        raise UserError(f"{row.name} cannot train {encoder}: it needs an encoder that offers {', '.join(lacking)}")
    return loaded
