"""What a grid's rows may be searched over: settings of each, drawn so that every value gets its turn."""

from __future__ import annotations

from itertools import count
from typing import Any, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from benchmark.interfaces import Config

#: options of a row by dotted path, such as `temperature` or `pretrain.batch_size`
Setting = dict[str, Any]
#: seeds that are tried before a space counts as too small
_ATTEMPTS = 1000


class Search(Config):
    """An equal search: of each row as many settings, and as many of them trained for longer (successive halving).

    Attributes:
        rungs: how many settings of each row are trained on so many crops; the first says how many there are, the first
            of which is the row as it stands.
        spaces: by row, the values of each of its options that are searched over.
        seed: of the draws.
    """

    rungs: dict[int, int] = Field(min_length=1)
    spaces: dict[str, dict[str, list[Any]]] = Field(min_length=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("rungs")
    @classmethod
    def _fewer_for_longer(cls, value: dict[int, int]) -> dict[int, int]:
        rungs = sorted(value.items())
        kept = [number for _, number in rungs]
        if rungs[0][0] < 1 or kept[-1] < 1 or kept != sorted(set(kept), reverse=True):
            raise ValueError("rungs are crops and how many settings hear them: fewer, the more they are, at least 1")
        return dict(rungs)

    @model_validator(mode="after")
    def _enough(self) -> Self:
        for row, space in self.spaces.items():
            for option, values in space.items():
                if len(values) != len({repr(value) for value in values}) or len(values) < 2:
                    raise ValueError(f"spaces.{row}.{option}: give two or more values, each once")
            if np.prod([len(values) for values in space.values()], dtype=float) < self.settings:
                raise ValueError(f"spaces.{row}: has fewer than {self.settings} settings")
        return self

    @property
    def settings(self) -> int:
        """How many of each row there are."""
        return next(iter(self.rungs.values()))

    def drawn(self, row: str, standing: Setting) -> list[Setting]:
        """The settings of a row: as it stands, and others, all different.

        Each option takes each of its values as often as any other, or once more (a Latin hypercube on what is given).

        Args:
            standing: the values that the options of its space have as the row stands; they need not be in the space.
        """
        space, others = self.spaces[row], self.settings - 1
        for seed in count(self.seed):
            rng = np.random.default_rng([seed, *row.encode()])
            columns = {option: _in_turn(values, others, rng) for option, values in space.items()}
            found = [standing, *({option: columns[option][i] for option in space} for i in range(others))]
            if len({repr(setting) for setting in found}) == len(found):
                return found
            if seed - self.seed > _ATTEMPTS:  # small spaces: whatever is left
                break
        raise ValueError(f"spaces.{row}: no {self.settings} different settings were found; give more values")


def _in_turn(values: list[Any], number: int, rng: np.random.Generator) -> list[Any]:
    """Each value as often as any other, or once more, in random order."""
    order = rng.permutation(len(values))
    turns = np.resize(order, number)
    return [values[i] for i in rng.permutation(turns)]
