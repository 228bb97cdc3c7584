"""Price: planted costs and planted curves come out as planted, and what is unknown stays unknown."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from helpers import planted
from scipy.stats import t as student

from benchmark.leaderboard.drawing import draw, figures
from benchmark.leaderboard.drawing.draw import Key, Style
from benchmark.leaderboard.page import convergence, price
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import headline, stats, tables

STYLE = Style("var(--s0)", "o", "●", "-")
SHARES = [0.25, 0.5, 1.0]


def record(*changes):
    run = planted.run(list(planted.LEVELS))
    run["pretraining"] = [{**job, **dict(changes)} for job in run["pretraining"]]
    return Run.model_validate(run)


def with_snapshots(scores, slope=0.1, names=("simclr", "byol")):
    """Every octave of crops adds `slope`, up to the final scores; 12,800 crops in all."""
    trained = scores["strategy"].isin(names)
    final = scores.assign(share=1.0, crops=np.where(trained, 12800.0, np.nan))
    early = [
        final[trained].assign(share=share, crops=12800 * share, value=scores["value"] + slope * np.log2(share))
        for share in SHARES[:-1]
    ]
    return pd.concat([final, *early], ignore_index=True)


def drawings(scores, run=None):
    run = run or record()
    table = tables.cells(scores, run)
    answer = headline.headline(stats.prepare(scores), table, run)
    return {d.id: d for d in price.drawings(scores, table, answer, run, "linear")}


def priced(name, seconds, score):
    return price.Priced(Key(STYLE, name), score, seconds, 0.0, 0.0)


def test_the_front_is_what_nothing_beats():
    """Against the definition, point by point."""
    rng = np.random.default_rng(0)
    points = [priced(str(i), *row) for i, row in enumerate(rng.integers(1, 8, (30, 2)).astype(float))]
    beaten = {
        one.key.name
        for one in points
        if any(
            (other.seconds <= one.seconds and other.score > one.score)
            or (other.seconds < one.seconds and other.score >= one.score)
            for other in points
        )
    }
    front = price.pareto_front(points)
    places = {(one.seconds, one.score) for one in front}
    assert places == {(one.seconds, one.score) for one in points if one.key.name not in beaten}
    assert [one.seconds for one in front] == sorted(one.seconds for one in front)


def test_costs_are_medians_over_seeds_and_scores_those_of_the_level():
    """From .2, the constant predictor, to 1: simclr's .69 at 10 % is .49 / .8."""
    table = drawings(planted.scores())["price-pitch-linear"].table.set_index("strategy")
    expected = {"simclr": 0.49 / 0.8, "byol": 0.36 / 0.8, "mfcc": 0.25 / 0.8, "random": 0.13 / 0.8}
    assert table["score at 10%"].to_dict() == pytest.approx(expected, abs=1e-4)
    assert list(table.index) == list(expected), "constant is the floor"
    assert table["seconds"].to_dict() == {"simclr": 42.2, "byol": 42.2, "mfcc": 0, "random": 0}
    assert table["on the front"].to_dict() == dict.fromkeys(table.index, "no") | {"simclr": "yes"}


def test_an_unknown_cost_is_said_and_not_drawn():
    run = record()
    run.pretraining = [job for job in run.pretraining if job.strategy != "byol"]
    drawing = drawings(planted.scores(), run)["price-pitch-linear"]
    assert {key.name: key.note for key in drawing.keys if key.note} == {"byol": "cost unknown"}
    assert np.isnan(drawing.table.set_index("strategy").loc["byol", "seconds"])


def test_no_cost_no_drawing():
    assert drawings(planted.scores(), record(("seconds", None))) == {}
    no_floor = planted.scores({name: level for name, level in planted.LEVELS.items() if name != "constant"})
    assert drawings(no_floor) == {}


@pytest.mark.parametrize(("fractions", "middle"), [([1.0], 1.0), ([0.1, 1.0], 0.1), ([1.0, 0.01, 0.1], 0.1)])
def test_the_middle_fraction(fractions, middle):
    assert price.middle_fraction(pd.DataFrame({"fraction": fractions})) == middle


def test_curves_are_as_planted():
    found = drawings(with_snapshots(planted.scores()))
    prices = {f"price-{level}-linear" for level in ("pitch", "time", "timbre")}
    assert set(found) == {*prices, *(f"convergence-{task}-linear" for task in planted.TASKS)}
    table = found["convergence-key-linear"].table.set_index("strategy")
    assert table.loc["simclr", ["after 25%", "after 50%", "after 100%"]].tolist() == pytest.approx([0.49, 0.59, 0.69])
    assert table.loc["random", "after 0%"] == pytest.approx(0.33)
    assert "mfcc" not in table.index
    assert [key.name for key in found["convergence-key-linear"].keys] == ["simclr", "byol", "random"]
    assert "3,200" in found["convergence-key-linear"].svg


def test_the_band_is_student_s_over_seeds():
    scores = with_snapshots(planted.scores())
    table = drawings(scores)["convergence-key-linear"].table.set_index("strategy")
    own = scores.query(
        "strategy == 'byol' and task == 'key' and fraction == 0.1 and probe == 'linear' and share == 0.5"
    )
    seeds = own.groupby("seed")["value"].mean()
    low, high = student.interval(0.95, len(seeds) - 1, seeds.mean(), seeds.sem())
    assert table.loc["byol", "± after 50%"] == pytest.approx((high - low) / 2, abs=1e-4)
    one_seed = drawings(scores[scores["seed"] == 0])["convergence-key-linear"]
    assert one_seed.table["± after 50%"].isna().all()


@pytest.mark.parametrize("lost", [True, False])
def test_a_point_with_a_missing_run_is_a_gap(lost):
    scores = with_snapshots(planted.scores())
    first = scores.query(
        "strategy == 'byol' and task == 'key' and fraction == 0.1 and probe == 'linear' and share == 0.5"
    ).index[0]
    scores = scores.drop(index=first) if lost else scores.assign(value=scores["value"].where(scores.index != first))
    drawing = drawings(scores)["convergence-key-linear"]
    assert {key.name: key.note for key in drawing.keys if key.note} == {"byol": "missing after 50%"}
    assert np.isnan(drawing.table.set_index("strategy").loc["byol", "after 50%"])


def test_snapshots_move_nothing_else():
    scores = planted.scores()
    cells = [tables.cells(table, record()) for table in (scores, with_snapshots(scores))]
    column = tables.standings(cells[0], record())[0].columns[0]
    svgs = [figures.label_efficiency(table, column, "linear").svg for table in cells]
    assert svgs[0] == svgs[1]
    assert drawings(scores)["price-time-linear"].svg == drawings(with_snapshots(scores))["price-time-linear"].svg


def test_without_snapshots_there_is_no_curve():
    scores = planted.scores()
    final_only = with_snapshots(scores).query("share == 1")
    for table in (scores, final_only):
        cells = tables.cells(table, record())
        assert convergence.convergence(table, cells, record(), 0.1, "linear") == []


def test_corrupted_audio_is_another_question():
    scores = with_snapshots(planted.scores().query("task == 'key'"))
    noisy = scores.assign(severity=3, corruption="noise", value=0.0)
    both = pd.concat([scores.assign(severity=0, corruption=""), noisy], ignore_index=True)
    assert {name: d.svg for name, d in drawings(both).items()} == {name: d.svg for name, d in drawings(scores).items()}


def test_names_on_the_front_do_not_overlap():
    """A staircase of close steps: the drawn boxes of its names, measured, are apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    levels = {f"a_rather_long_name_{i}": 0.45 + i / 100 for i in range(8)} | planted.LEVELS
    run = planted.run(list(levels))
    run["pretraining"] = [{**planted._checkpoint(name, 0), "seconds": 40 + 1.1**i} for i, name in enumerate(levels)]
    (shown,) = [d for d in drawings(planted.scores(levels), Run.model_validate(run)).values() if "pitch" in d.id]
    canvas = draw._canvas(shown.paint, draw.LIGHT)
    FigureCanvasAgg(canvas).draw()
    boxes = [text.get_window_extent() for text in canvas.axes[0].texts if text.get_text().startswith("a_rather")]
    assert len(boxes) > 4
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert canvas.axes[0].get_xscale() == "log"


def test_the_caption_says_whose_seconds_they_are():
    run = record(("machine", "Abacus"))
    assert price._whose_seconds(run).startswith("The seconds are of Abacus, ")
    run.pretraining[0].machine = "Slide rule"
    assert "Slide rule and Abacus" in price._whose_seconds(run)
    assert "cannot be compared between machines" in price._whose_seconds(run)
    assert "nothing says that it was one" in price._whose_seconds(record())
    found = drawings(planted.scores(), record(("machine", "Abacus")))
    captions = [drawing.caption for name, drawing in found.items() if name.startswith("price")]
    assert captions
    assert all("of Abacus" in caption for caption in captions)
