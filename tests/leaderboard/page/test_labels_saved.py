"""Labels saved: read off planted learning curves, with an interval that holds the truth, and a dash for never."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import planted

from benchmark.leaderboard.page import labels
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import tables

N = np.array([10.0, 100.0, 1000.0])
CURVE = np.array([0.2, 0.4, 0.6])


def needs(goal, score=CURVE, half=0.0, about=0.0):
    return labels.needed(N, np.asarray(score), np.full(3, half), goal, about)


def test_a_known_number_of_labels():
    """.2 per factor of ten: .5 is half a decade above 100."""
    assert needs(0.5).number == pytest.approx(100 * 10**0.5)
    assert needs(0.4).number == pytest.approx(100)
    assert needs(0.5).text == "316 (316\N{EN DASH}316)"


def test_the_interval_is_where_the_scores_may_be_equal():
    """Half-widths of .03 and .04 make .05, a quarter of a decade."""
    found = needs(0.4, half=0.03, about=0.04)
    assert (found.low, found.high) == pytest.approx((100 / 10**0.25, 100 * 10**0.25))
    assert found.text == "100 (56\N{EN DASH}178)"


def test_never_is_a_dash_and_nothing_is_extrapolated():
    assert needs(0.61).text == "—"
    assert needs(0.61, half=0.02).text == "— (from 891)"
    assert np.isinf(needs(0.59, half=0.02).high)
    assert needs(0.59, half=0.02).text == "891 (708\N{EN DASH}∞)"
    assert needs(0.1).text == "≤10"


def test_an_unknown_interval_is_said():
    """Not taken for none."""
    assert needs(0.5, half=np.nan).text == needs(0.5, about=np.nan).text == "316 (?)"
    assert needs(0.61, about=np.nan).text == "—"


def test_a_dip_is_no_second_crossing():
    """Pooled: .5 and .3 are .4 twice, so .4 is reached with 10 labels, and .45 beyond 100."""
    assert needs(0.4, score=[0.5, 0.3, 0.6]).number == 10
    assert needs(0.45, score=[0.5, 0.3, 0.6]).number == pytest.approx(100 * 10**0.25)


def test_on_a_leaderboard_what_mfcc_needs_for_a_row_s_score():
    """mfcc scores .40, .45, .50 with 8, 60, 600 labels: byol's .50 at 8 takes 600, simclr's .62 no number of them."""
    record = planted.run(list(planted.LEVELS))
    run = Run.model_validate(record)
    table = tables.cells(planted.scores(), run)
    found = {
        (one.entry.strategy, one.fraction): one
        for one in labels.saved(table[table["main"]], run)
        if (one.task, one.probe) == ("key", "linear")
    }
    assert {one.over for one in found.values()} == {"mfcc"}
    assert {name for name, _ in found} == {"simclr", "byol"}
    assert found["byol", 0.01].needed.number == pytest.approx(600)
    assert found["byol", 0.01].labels == 8
    assert found["simclr", 0.01].needed.never
    record["tasks"]["key"]["higher_is_better"] = False
    run = Run.model_validate(record)
    table = tables.cells(planted.scores().assign(value=lambda t: 1 - t["value"]), run)
    turned = [one for one in labels.saved(table[table["main"]], run) if (one.task, one.probe) == ("key", "linear")]
    assert sorted(one.needed.number for one in turned) == pytest.approx(
        sorted(one.needed.number for one in found.values())
    )


def test_the_layout_has_a_column_for_each_reference_and_share():
    run = Run.model_validate(planted.run(list(planted.LEVELS)))
    table = tables.cells(planted.scores(), run)
    found = [one for one in labels.saved(table[table["main"]], run) if (one.task, one.probe) == ("key", "linear")]
    shown = labels.layout(found)
    assert shown.columns == [("mfcc", "1%", 8.0), ("mfcc", "10%", 60.0), ("mfcc", "100%", 600.0)]
    assert [(entry.strategy, cells[0].number) for entry, cells in shown.rows] == [
        ("byol", pytest.approx(600)),
        ("simclr", np.inf),
    ]
