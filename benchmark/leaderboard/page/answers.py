"""The answer as Markdown, for a README: who leads each level at each label fraction, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.leaderboard.drawing import draw
from benchmark.leaderboard.page.report import Report
from benchmark.leaderboard.record import percent
from benchmark.leaderboard.statistics.headline import Answer
from benchmark.leaderboard.statistics.tables import Entry, Score

HEAD = ("level", "labels", "leads", "not told apart from it", "over `random`", "over `mfcc`", "over `supervised`")
#: what the pair test said of a gain
_SIGN = {"first": "▲", "second": "▼", "tied": "≈", "missing": ""}
SCALE = "Level scores: 0 is the constant predictor, 1 perfect; mean ± 95 % interval."
LEADING = (
    " ▲ better, ▼ worse, ≈ not told apart, by the pair test on the same test items. In brackets the highest score, "
    "where there is no verdict."
)
FILE = "answers.md"
#: names in a cell
FEW = 4


def markdown(report: Report) -> str:
    """A table: level by level, one line for each label fraction, under the first probe.

    Of a grid without pretext tasks nobody leads, and it shows the scores of all rows.
    """
    panels = report.firsts
    names = draw.names(report.entries)
    leads = any(answer.among for panel in panels for answer, *_ in panel.answers)
    head = HEAD if leads or not panels else (*HEAD[:2], *(_code(names[row.entry]) for row in panels[0].levels.rows))
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for i, column in enumerate(panels[0].levels.columns if panels else ()):
        for panel in panels:
            answer = panel.answers[i][0]
            of = {row.entry: row.scores[i] for row in panel.levels.rows}
            found = (
                [*_lead(answer, names), *_over(answer)]
                if leads
                else [_score(of[row.entry]) if row.entry in of else "" for row in panels[0].levels.rows]
            )
            lines.append("| " + " | ".join([column.task, percent(panel.levels.fraction), *found]) + " |")
    lines += ["", SCALE + (LEADING if leads else "")]
    return "\n".join(lines) + "\n"


def _lead(answer: Answer, names: Mapping[Entry, str]) -> list[str]:
    """Who leads with which score, and who is not told apart."""
    if answer.best:
        shown = ", ".join(f"**{_code(names[entry])}** {_score(score)}" for entry, score in answer.best)
        return [shown, _listed([names[entry] for entry in answer.tied])]
    if answer.highest is None:
        return ["", ""]
    entry, score = answer.highest
    return [f"({_code(names[entry])} {_score(score)})", "no verdict"]


def _over(answer: Answer) -> list[str]:
    """What is gained over the untrained encoder, over handcrafted features, and over labels alone."""
    by_kind = {gain.over: gain for gain in answer.gains}
    others = [gain for gain in answer.gains if gain.over not in ("random", "mfcc")]
    # a sign would be a verdict
    signs = _SIGN if answer.best else {}
    return [
        f"{gain.difference:+.3f} ± {gain.half:.3f} {signs.get(gain.wins, '')}".strip() if gain else ""
        for gain in (by_kind.get("random"), by_kind.get("mfcc"), others[0] if others else None)
    ]


def _score(score: Score) -> str:
    return f"{score.mean:.3f} ± {score.half:.3f}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_code, names[:FEW])) or "none"
    return f"{shown} and {len(names) - FEW} more" if len(names) > FEW else shown


def _code(name: str) -> str:
    return f"`{name}`"
