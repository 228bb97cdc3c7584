"""Tables of the documentation, from what is registered: `<!-- table: NAME -->` in a page becomes one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmark import registry
from benchmark.corpora.datasets.dataset import DataSet

_MARK = re.compile(r"<!-- table: ([\w ]+) -->")
_PLACES = {
    "random": "anywhere in a track",
    "same": "at one place",
    "adjacent": "one after the other",
    "disjoint": "anywhere, without overlap",
}
_NEEDS = {
    "mel": "of an encoder whose spectrogram can be masked",
    "tokens": "of an encoder of tokens",
    "log_frequency": "of an encoder with a pitch axis",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables in (mkdocs calls this for every page)."""
    return _MARK.sub(lambda found: TABLES[found[1]](), markdown)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _summary(name: str) -> str:
    """What a strategy's module says first, less its name and its paper."""
    text = registry.strategies.describe(name)["summary"]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)\.?$", "", text.partition(": ")[2] or text).rstrip(".")


def _costs() -> dict[str, str]:
    """By strategy, what 125,000 crops took in `results/reference`, on one core: its cheapest training."""
    path = Path(__file__).parents[1] / "results" / "reference" / "run.json"
    if not path.is_file():
        return {}
    record = json.loads(path.read_text())
    method = {name: note["method"] for name, note in record["strategies"].items()}
    found: dict[str, float] = {}
    for one in record["pretraining"]:
        seconds = {round(float(crops), -3): cost for crops, cost in one.get("lengths", {}).items()}
        if (cost := seconds.get(125_000.0)) and method.get(one["strategy"]):
            name = method[one["strategy"]]
            found[name] = min(cost, found.get(name, cost))
    return {name: f"{cost / 60:.0f} min" for name, cost in found.items()}


def _strategies(trained: bool) -> str:
    lines, costs = [], _costs() if trained else {}
    for name in registry.strategies.names():
        cls = registry.strategies.get(name)
        if (cls.trains or cls.imported) is trained:
            about = [f"{cls.info.title}<br>`{name}`", _summary(name)]
            told = [_hears(cls), cls.family, *([costs.get(name, "")] if costs else [])] if trained else []
            lines.append([*about, *told, cls.info.citation])
    head = ["hears", "family", *(["takes"] if costs else [])] if trained else []
    return _table(["", "what it does", *head, "source"], lines)


def _hears(cls: Any) -> str:
    if cls.imported:
        return "nothing more: weights of an export"
    crops = cls.crops(cls.Config())
    words = [f"{crops.count} of {crops.seconds:g} s" if crops.count > 1 else f"one of {crops.seconds:g} s"]
    words += [_PLACES[crops.placement]] if crops.count > 1 else []
    words += [f"the last a stem ({', '.join(crops.sources)})"] if crops.sources else []
    words += [f"labels ({', '.join(crops.tags)})"] if crops.tags else []
    words += [_NEEDS[need] for need in sorted(cls.needs)]
    return ", ".join(words)


def _tasks(here: bool) -> str:
    lines = []
    for name in registry.tasks.names():
        task = registry.tasks.get(name)
        if issubclass(registry.corpora.get(task.corpus), DataSet) is not here:
            what = registry.tasks.describe(name)["summary"]
            lines.append([f"`{name}`", task.level, what, f"`{task.corpus}`", f"`{task.metric}`"])
    lines.sort(key=lambda line: (line[1], line[0]))
    return _table(["task", "level", "what is measured", "corpus", "main metric"], lines)


def _corpora() -> str:
    lines = []
    for name in registry.corpora.names():
        corpus = registry.corpora.get(name)
        lines.append([f"`{name}`", corpus.info.title, corpus.licence, corpus.info.citation])
    return _table(["corpus", "", "licence", "source"], lines)


TABLES: dict[str, Callable[[], str]] = {
    "strategies": lambda: _strategies(True),
    "baselines": lambda: _strategies(False),
    "tasks here": lambda: _tasks(True),
    "tasks there": lambda: _tasks(False),
    "corpora": _corpora,
}
