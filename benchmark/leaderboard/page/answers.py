"""The answer as Markdown, for a README: who leads each level at each label fraction, and what stands behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from benchmark.leaderboard.page.report import Panel, Report
from benchmark.leaderboard.record import UNTRAINED_KIND, percent
from benchmark.leaderboard.statistics.headline import Answer
from benchmark.leaderboard.statistics.tables import Entry, Score, names_of

HEAD: tuple[str, ...] = (
    "level",
    "labels",
    "leads",
    "not told apart from it",
    "over the untrained encoder",
    "over `mfcc`",
    "over `supervised`",
)
#: what the pair test said of a gain
_SIGN = {"first": "▲", "second": "▼", "tied": "≈", "untested": "†"}
SCALE = "Level scores: 0 is {zero}, 1 perfect; mean ± 95 % interval."
LEADING = (
    " ▲ better, ▼ worse, ≈ not told apart, by the pair test on the same test items. In brackets the highest score, "
    "where there is no verdict."
)
BETTER = " Of {}, the untrained encoder, the better one."
ALONE = " † one seed: not compared."
HEARD = " ‡ trained on labels of these tasks, or on what tells of them."
FILE = "answers.md"
#: names in a cell
FEW = 4


def markdown(report: Report) -> str:
    """A table: level by level, one line for each label fraction, under the first probe.

    Of a grid without pretext tasks nobody leads, and it shows the scores of all rows.
    """
    names, scale = names_of(report.entries), SCALE.format(zero=report.run.zero)
    if any(answer.among for panel in report.firsts for answer, _ in panel.answers) or not report.firsts:
        head, cells, explained = HEAD, partial(_leader, names=names), scale + LEADING
    else:
        entries = [row.entry for row in report.firsts[0].levels.rows]
        head, cells, explained = (*HEAD[:2], *(_code(names[one]) for one in entries)), partial(_all, entries), scale
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for i, column in enumerate(report.firsts[0].levels.columns if report.firsts else ()):
        for panel in report.firsts:
            line = [_plain(column.task), percent(panel.levels.fraction), *cells(panel, i)]
            lines.append("| " + " | ".join(line) + " |")
    ways = report.run.references(entry.strategy for entry in names)[UNTRAINED_KIND]
    explained += BETTER.format(" and ".join(map(_code, ways))) * (head == HEAD and len(ways) > 1)
    explained += ALONE * any("†" in line for line in lines)
    explained += HEARD * any("‡" in line for line in lines)
    return "\n".join([*lines, "", explained]) + "\n"


def _leader(panel: Panel, level: int, names: Mapping[Entry, str]) -> list[str]:
    answer, _ = panel.answers[level]
    return [*_lead(answer, names), *_over(answer)]


def _all(entries: Sequence[Entry], panel: Panel, level: int) -> list[str]:
    scores = {row.entry: row.scores[level] for row in panel.levels.rows}
    return [_score(scores[entry]) if entry in scores else "" for entry in entries]


def _lead(answer: Answer, names: Mapping[Entry, str]) -> list[str]:
    """Who leads with which score, and who is not told apart."""
    if answer.best:
        shown = ", ".join(_best(names[entry], score) for entry, score in answer.best)
        return [shown, _listed([names[entry] for entry in answer.tied]) + answer.uncompared]
    if answer.highest is None:
        return ["", ""]
    entry, score = answer.highest
    return [f"({_code(names[entry])} {_score(score)})", "no verdict"]


def _best(name: str, score: Score) -> str:
    return f"**{_code(name)}**{'‡' * score.heard} {_score(score)}"


def _over(answer: Answer) -> list[str]:
    """What is gained over the untrained encoder, over handcrafted features, and over labels alone."""
    by_kind = {gain.kind: gain for gain in answer.gains}
    # a sign would be a verdict
    signs = _SIGN if answer.best else {}
    return [
        f"{gain.difference:+.3f} ± {gain.half:.3f} {signs.get(gain.wins, '')}".strip() if gain else ""
        for gain in map(by_kind.get, (UNTRAINED_KIND, "mfcc", "supervised"))
    ]


def _score(score: Score) -> str:
    return f"{score.mean:.3f} ± {score.half:.3f}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_code, names[:FEW])) or "none"
    return f"{shown} and {len(names) - FEW} more" if len(names) > FEW else shown


def _plain(name: str) -> str:
    """Nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|~])", r"\\\1", name)


def _code(name: str) -> str:
    """In its own letters, whatever they are; a bar would end the cell."""
    return f"`{name}`" if "`" not in name and "|" not in name else _plain(name)
