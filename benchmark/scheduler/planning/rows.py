"""Rows of the leaderboard: a grid's strategies with their options, and the encoders that they can train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid


@dataclass(frozen=True)
class Row:
    """A row of the leaderboard: a strategy with its options, under the name that the grid gives it."""

    name: str
    strategy: str
    cls: Any
    config: Any

    @classmethod
    def of(cls, name: str, options: dict[str, Any]) -> Row:
        """Resolve an entry of the grid; `strategy: NAME` among its options makes it a variant of that strategy.

        Raises:
            UserError: no such strategy, or a wrong option (each is named).
        """
        strategy = str(options.get("strategy", name))
        found = registry.strategies.get(strategy)
        try:
            config = found.Config.model_validate({k: v for k, v in options.items() if k != "strategy"})
        except ValidationError as error:
            lines = [f"strategies.{name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise UserError("; ".join(lines)) from error
        return cls(name, strategy, found, config)

    def checkpoints(self, grid: Grid) -> list[tuple[str, int]]:
        """(encoder, seed) pairs; a strategy with its own handcrafted encoder has nothing to seed."""
        own = self.cls.encoder_name
        return [(own, 0)] if own is not None else [(e, seed) for e in grid.encoders for seed in grid.seeds]


def rows(grid: Grid) -> list[Row]:
    """The grid's strategies, resolved."""
    return [Row.of(name, options) for name, options in grid.strategies.items()]


def compatible(row: Row, encoder: str) -> Any:
    """The encoder's class.

    Raises:
        UserError: the strategy cannot train it.
    """
    loaded = registry.encoders.get(encoder)
    if row.cls.trains and not loaded.offers:
        raise UserError(f"{row.name} cannot train {encoder}: there is nothing to train in it")
    lacking = row.cls.needs - loaded.offers
    if lacking:
        raise UserError(f"{row.name} cannot train {encoder}: it needs an encoder that offers {', '.join(lacking)}")
    return loaded
