"""Grids as they are written: YAML by name or path, their variants, and what the command line changes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.space import Search

#: what a budget may be multiplied by
_LARGEST = 1e6


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
        name: of a grid, or the path of a file; with `:VARIANT` behind it, as that variant has it.
        changes: values by dotted path, such as `pretrain.batch_size`, that replace what the file says.

    Raises:
        UserError: unknown name, broken YAML, unknown or wrong field (each is named).
    """
    raw, changes = _raw(name), changes or {}
    written = raw.get("seeds")
    for path, value in changes.items():
        _put(raw, path, value)
    if "seeds" in changes and not {"pretrain", "pretrain.crops"} & changes.keys():
        _keep_budgets(raw, written)
    return checked(raw, f"{name}: the grid is malformed")


def _keep_budgets(raw: dict[str, Any], written: Any) -> None:
    """Of some of a grid's seeds, each has the budgets that it has among all: `{250000: 3, 500000: 1}` takes seed 0 on.

    Raises:
        UserError: none of them has any.
    """
    crops, chosen = (raw.get("pretrain") or {}).get("crops"), raw["seeds"]
    known = isinstance(written, list) and isinstance(chosen, list) and all(seed in written for seed in chosen)
    if not known or not isinstance(crops, dict) or not all(type(n) is int and n > 0 for n in crops.values()):
        return  # what is wrong, the grid's own check will name
    counts = {budget: sum(seed in chosen for seed in written[:n]) for budget, n in crops.items()}
    if not any(counts.values()):
        raise UserError(f"--seeds {', '.join(map(str, chosen))}: of pretrain.crops {crops} these have none")
    raw["pretrain"]["crops"] = {budget: n for budget, n in counts.items() if n}
    raw["seeds"] = [seed for seed in written if seed in chosen]


def checked(raw: Mapping[str, Any], what: str) -> Grid:
    """A grid of its fields.

    Raises:
        UserError: `what`, and each field that is unknown or wrong.
    """
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'grid'}: {registry.said(e, Grid)}" for e in error.errors()]
        raise UserError("\n".join([what, *lines])) from error


def variants(name: str) -> list[str]:
    """What a grid's variants are called."""
    found = _yaml(name).get("variants")
    return list(found) if isinstance(found, dict) else []


def _raw(name: str) -> dict[str, Any]:
    """A grid, or a variant of one, as it is written."""
    stem, colon, variant = name.rpartition(":")
    if not colon or Path(name).is_file():
        return _yaml(name)
    known = variants(stem)
    if not known:
        raise UserError(f"{name}: {stem} has no variants")
    if variant not in known:
        raise registry.unknown(f"variants of {stem}", variant, known)
    raw = _yaml(stem)
    other = raw.pop("variants")[variant]
    if not isinstance(other, dict):
        raise UserError(f"{stem}: variants.{variant} is a mapping, this is {type(other).__name__}")
    return {**raw, "name": f"{raw.get('name')}-{variant}", **other}


class _Once(yaml.SafeLoader):
    """A key that is there twice is a mistake: of two values, YAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        merge = "tag:yaml.org,2002:merge"
        plain = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != merge]
        keys = [self.construct_object(key) for key in plain]  # .1 and 0.1 are one
        if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
            raise ValueError(f"{twice[0]!r} is there twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def _yaml(name: str) -> dict[str, Any]:
    try:
        raw = _apart(yaml.load(text_of(name), _Once))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates, numbers, bytes that are none
        raise UserError(f"{name}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise UserError(f"{name}: a grid is a mapping, this is {type(raw).__name__}")
    return raw


def _apart(value: Any) -> Any:
    """Without aliases: what YAML has under two names is one object, and a change of one would be one of the other."""
    if isinstance(value, dict):
        return {key: _apart(inner) for key, inner in value.items()}
    return [_apart(inner) for inner in value] if isinstance(value, list) else value


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
    if not abs(budget) <= _LARGEST:
        raise UserError(f"--budget {budget}: give a number up to {_LARGEST:,.0f}")
    most = max(grid.fractions.values())
    raw = grid.model_dump(exclude_unset=True)  # what nobody has set, strategies may
    crops = [max(1, round(budget * n)) for n in grid.budgets or [grid.pretrain.crops]]
    seeds = dict(zip(crops, grid.budget_seeds.values(), strict=False))
    raw["pretrain"]["crops"] = (seeds or crops) if grid.budgets else crops[0]
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
        raise UserError("; ".join(f"{_option(e['loc'])}{registry.said(e, Grid)}" for e in error.errors())) from error


def _option(place: Sequence[Any]) -> str:
    """The option that changed a field of a grid; empty if several make it wrong together."""
    return f"--{'budget' if place[0] in ('pretrain', 'search') else place[0]}: " if place else ""


def elsewhere(grid: Grid, corpus: str) -> dict[str, Any]:
    """Changes of a grid that pre-train on another corpus, while what tasks are read from stays as large."""
    known = list(registry.corpora.get(corpus).sizes)
    size = grid.size if grid.size in known else known[-1]
    return {"corpus": corpus, "size": size, "sizes": {**dict.fromkeys(grid.corpora, grid.size), **grid.sizes}}


def starting_from(grid: Grid, weights: str) -> Grid:
    """The same grid whose rows that are trained start from an export's weights.

    Raises:
        UserError: none is trained.
    """
    raw = grid.model_dump(exclude_unset=True)
    trained = {n: o for n, o in raw["strategies"].items() if registry.strategies.get(str(o.get("strategy", n))).trains}
    if not trained:
        raise UserError(f"--init {weights}: no row of {grid.name} is trained")
    raw["strategies"] |= {name: {**options, "weights": weights} for name, options in trained.items()}
    return Grid.model_validate(raw)


def _narrow_search(search: Search, rows: Mapping[str, Any], budget: float) -> dict[str, Any] | None:
    """Only for these rows; None if it is for none of them."""
    spaces = {row: space for row, space in search.spaces.items() if row in rows}
    rungs = {max(1, round(budget * crops)): kept for crops, kept in search.rungs.items()}
    return {"rungs": rungs, "spaces": spaces, "seed": search.seed} if spaces else None
