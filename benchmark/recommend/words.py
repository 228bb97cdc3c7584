"""Advice for people: a table, a learning curve, and what a friend would say; the same for scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmark.recommend.advice import Advice, Difference, Row
from benchmark.recommend.curve import FARTHEST
from benchmark.recommend.question import FLOOR

#: how rows are called in a sentence
_CALLED = {"mfcc": "MFCC", "informed": "informed features", "random": "the untrained encoder"}


def sentence(advice: Advice, own: str) -> str:
    """What a friend would say: no more than the pair tests bear out.

    Args:
        advice: on one label.
        own: how to pre-train on one's own recordings.
    """
    best, floor = advice.best, advice.pairs.get((advice.best.name, FLOOR))
    if floor is not None and floor.wins != "first":
        if floor.mean >= floor.detectable:
            above = f"{_capital(best)} {_is(best)} {_size(floor.mean)} above guessing without listening"
            return f"{above}, but {_uncertain(advice)}."
        return (
            f"Nothing here is told from guessing without listening: {_seen(advice, floor)}. Perhaps the "
            "label cannot be heard; else it takes more of them."
        )
    ours, plain = advice.pretrained, advice.untrained
    if not ours:
        return f"{_lead(advice)} No pre-trained encoder was compared: --encoders DIR adds what 'export' wrote."
    if not any(row.leads for row in ours):
        return (
            f"{_capital(best)} {_is(best)} not beaten on your data: pre-training on {_heard(ours)} does not help here. "
            f"Take {_called(best)}; or pre-train on your own recordings: {own}"
        )
    between = advice.pairs[ours[0].name, plain[0].name]
    if not any(row.leads for row in plain):
        by = f"{_size(between.mean)} (± {_size(between.half)})"
        return (
            f"{best.name} beats {_called(plain[0])} by {by}: pre-training on {_heard(ours[:1])} helps here. "
            f"benchmark.load_encoder({best.weights!r}) is what to use.{_also(advice)}"
        )
    return (
        f"{ours[0].name} ({_size(ours[0].mean)}) and {_called(plain[0])} ({_size(plain[0].mean)}) could not be told "
        f"apart: {_seen(advice, between)}. "
        f"{_capital(plain[0])} {'need' if plain[0].name == 'informed' else 'needs'} no pre-training."
    )


def _lead(advice: Advice) -> str:
    """Who leads, where no pre-training is to be judged."""
    others = [row for row in advice.leading if row is not advice.best]
    told = (
        f"{_capital(advice.best)} {'lead' if advice.best.name == 'informed' else 'leads'} ({_size(advice.best.mean)})"
    )
    if not others:
        return f"{told}."
    pairs = [advice.pairs[advice.best.name, row.name] for row in others]
    names = ", ".join(map(_called, others))
    return f"{told}, not told apart from {names}: {_seen(advice, *pairs)}."


def _seen(advice: Advice, *pairs: Difference) -> str:
    """How large a difference of any of these pairs would have been seen; where one is that large, what it lacks."""
    if large := [abs(pair.mean) for pair in pairs if abs(pair.mean) >= pair.detectable]:
        return f"there is a difference of {_size(max(large))}, but {_uncertain(advice)}"
    worst = max(pair.detectable for pair in pairs)
    if not worst < 1:  # as large as there can be any, or nobody knows
        return f"with {advice.tested} test tracks, too few or of too few groups, none could be seen"
    return f"with {advice.tested} test tracks, a difference of {_size(worst)} would have been seen"


def _uncertain(advice: Advice) -> str:
    """Of a difference that would be told, were it the only one."""
    return (
        f"with {advice.tested} test tracks this is not certain after the correction for all comparisons; more labeled "
        "test tracks would settle it"
    )


def _also(advice: Advice) -> str:
    tied = [row.name for row in advice.leading if row is not advice.best]
    return f" Not told apart from it: {', '.join(tied)}." if tied else ""


def outlook(advice: Advice) -> str:
    """How many labels a better score takes; empty where nothing can be said."""
    found = advice.forecast
    if found is None:
        return ""
    if math.isinf(found.labels):
        least = f"; perhaps from {_count(found.low)} on" if math.isfinite(found.low) else ""
        return f"{_size(found.score)} is not within {FARTHEST:.0f} times the labels that you have{least}"
    among = f"{_count(found.low)}-{_count(found.high)}" if math.isfinite(found.high) else f"{_count(found.low)} or more"
    return f"about {_count(found.labels)} labels for {_size(found.score)} ({among})"


def lines(advice: Advice, own: str) -> list[str]:
    """One label for a terminal."""
    head = f"{advice.task}: {advice.metric} with all {advice.labels} labels, on {advice.tested} test tracks"
    width = max(len(row.name) for row in advice.rows)
    counts = [f"{n:>5.0f}" for n, *_ in advice.best.curve]
    found = [head, f"    {'':<{width}}  {'':<12}  labels: {' '.join(counts)}"]
    for row in advice.rows:
        mark = "*" if row.leads and row.name != FLOOR else " "
        half = f"± {_size((row.high - row.low) / 2)}"
        curve = " ".join(f"{_size(mean):>5}" for _, mean, *_ in row.curve)
        found.append(f"  {mark} {row.name:<{width}}  {_size(row.mean):>4} {half:<7}          {curve}")
    found.append("  * the best, and what is not told apart from it")
    more = outlook(advice)
    return [*found, *([f"  {advice.best.name}: {more}"] if more else []), f"  {sentence(advice, own)}"]


def told(advice: Advice, own: str) -> dict[str, Any]:
    """One label for scripts."""
    found = advice.forecast
    return {
        "metric": advice.metric,
        "labels": advice.labels,
        "tested": advice.tested,
        "leading": [row.name for row in advice.leading],
        "rows": {row.name: _row(row) for row in advice.rows},
        "differences": [_difference(one) for one in advice.pairs.values() if one.first == advice.best.name],
        "goal": advice.goal,
        "forecast": found
        and {"score": found.score} | {name: _finite(getattr(found, name)) for name in ("labels", "low", "high")},
        "outlook": outlook(advice),
        "sentence": sentence(advice, own),
    }


def _row(row: Row) -> dict[str, Any]:
    names = ("labels", "mean", "low", "high")
    return {
        "heard": row.heard,
        "weights": row.weights or None,
        **{name: _finite(getattr(row, name)) for name in names[1:]},
        "curve": [dict(zip(names, map(_finite, point), strict=True)) for point in row.curve],
    }


def _difference(one: Difference) -> dict[str, Any]:
    values = {"difference": one.mean, "half_width": one.half, "detectable": one.detectable}
    return {"over": one.second, **{name: _finite(value) for name, value in values.items()}, "told": one.wins == "first"}


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return round(value, 6) if math.isfinite(value) else None


def _called(row: Row) -> str:
    return _CALLED.get(row.name, row.name)


def _capital(row: Row) -> str:
    called = _called(row)
    return called[0].upper() + called[1:] if row.name in _CALLED else called


def _is(row: Row) -> str:
    return "are" if row.name == "informed" else "is"


def _heard(rows: Sequence[Row]) -> str:
    corpora = dict.fromkeys(row.heard for row in rows)
    return "rendered music" if all("rendered" in corpus for corpus in corpora) else " and ".join(corpora)


def _size(value: float) -> str:
    """Two decimals, as this field writes shares."""
    text = "?" if math.isnan(value) else f"{value:.2f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _count(n: float) -> str:
    """A number of labels to two digits: a forecast has no more."""
    if not math.isfinite(n):
        return "?"
    step = 10 ** max(0, len(str(round(n))) - 2)
    return f"{max(1, step * round(n / step)):,}"
