"""Drawings: what was planted is where it was planted, in the page's colors, and told apart."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from benchmark.leaderboard.drawing import draw, figures
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics import tables


def drawn(scores, task="key"):
    cells = tables.cells(scores, Run())
    column = next(c for c in tables.standings(cells, Run())[0].columns if c.task == task)
    return figures.label_efficiency(cells, column, "linear")


@pytest.fixture(scope="module")
def figure():
    return drawn(planted.scores())


def line(name, *means):
    key = draw.Key(draw.styles([tables.Entry(name, "", "")])[tables.Entry(name, "", "")], name)
    return figures.Line(key, list(range(len(means))), list(means), [0.01] * len(means))


def test_the_table_behind_it_holds_what_was_planted(figure):
    table = figure.table.set_index("strategy")
    for name, level in planted.LEVELS.items():
        grown = [level + planted.GROWTH[name] * step for step in range(3)]
        assert table.loc[name, ["1%", "10%", "100%"]].tolist() == pytest.approx(grown)
    assert (table[["± at 1%", "± at 10%", "± at 100%"]] > 0).all(axis=None)


def test_the_legend_reads_from_top_to_bottom(figure):
    """The last vertex of each line, downward in the drawing, is in the order of the keys."""
    root = ElementTree.fromstring(figure.svg)
    ends = {}
    for group in root.iter("g"):
        found = re.fullmatch(r"series series-(\d+)", group.get("class", ""))
        for path in group.findall("path"):
            if found and " L " in path.get("d"):
                ends.setdefault(int(found[1]), float(re.findall(r"[\d.]+", path.get("d"))[-1]))
    assert [key.name for key in figure.keys] == ["simclr", "byol", "mfcc", "random", "constant"]
    assert [ends[i] for i in range(5)] == sorted(ends.values())


def test_a_gap_is_named_and_stays_a_gap():
    scores = planted.scores()
    gap = (scores["strategy"] == "mfcc") & (scores["task"] == "key") & (scores["fraction"] == 0.1)
    figure = drawn(scores[~gap])
    assert {key.name: key.note for key in figure.keys if key.note} == {"mfcc": "missing at 10%"}
    assert np.isnan(figure.table.set_index("strategy").loc["mfcc", "10%"])
    assert ">60<" in figure.svg, "labeled tracks"


def test_those_that_lead_at_either_end_are_drawn_in_full():
    lines = [line("early", 0.5, 0.5), line("late", 0.1, 0.9), line("second", 0.4, 0.8), line("never", 0.3, 0.6)]
    lines += [line("random", 0.9, 0.9), line("gap", np.nan, np.nan)]
    assert figures.leading(lines, higher_is_better=True) == {"early", "late", "second"}
    assert figures.leading(lines, higher_is_better=False) == {"late", "never", "early"}


def test_colors_are_the_page_s(figure):
    assert re.findall("#[0-9a-fA-F]{3,}", figure.svg) == []
    assert {"var(--s0)", "var(--grey)", "currentColor"} <= set(re.findall(r"var\(--\w+\)|currentColor", figure.svg))


def test_two_drawings_share_no_id(figure):
    ids = re.findall(r'\bid="([^"]*)"', figure.svg + drawn(planted.scores(), "beat").svg)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', figure.svg)) <= set(ids)


def test_the_order_of_the_rows_does_not_matter(figure):
    assert drawn(planted.scores().sample(frac=1, random_state=0)).svg == figure.svg


def test_rows_of_one_strategy_are_named_apart():
    scores = planted.scores()
    other = scores[scores["strategy"] == "byol"].assign(encoder="vit", value=0.1)
    names = [key.name for key in drawn(pd.concat([scores, other])).keys]
    assert names == [
        "simclr",
        "byol (cnn_small, rendered_scores)",
        "mfcc",
        "random",
        "constant",
        "byol (vit, rendered_scores)",
    ]


def test_names_at_the_edge_do_not_overlap():
    assert figures.apart([0.0, 0.5], 0.1) == [0.0, 0.5]
    assert figures.apart([0.2, 0.22], 0.1) == pytest.approx([0.16, 0.26])
    positions = np.sort(np.random.default_rng(0).uniform(size=12))
    placed = np.array(figures.apart(positions.tolist(), 0.06))
    assert (np.diff(placed) >= 0.06 - 1e-9).all()
    assert placed.mean() == pytest.approx(positions.mean())


def test_a_file_name_is_plain_and_says_which():
    assert draw.slug("label_efficiency_giantsteps_tempo_linear") == "label-efficiency-giantsteps-tempo-linear"
    names = ["a_b", "a-b", "A_b", "a b", "a/b", "../a", "\u05d0", "\u05d1", "x" * 300, "x" * 301]
    slugs = {draw.slug(name) for name in names}
    assert len(slugs) == len(names)
    assert all(re.fullmatch("[a-z0-9-]{1,80}", slug) for slug in slugs)


def test_lines_are_told_apart_without_color():
    entries = [tables.Entry(f"s{i}", "e", "c") for i in range(8)]
    looks = draw.styles([*entries, tables.Entry("random", "e", ""), tables.Entry("constant", "e", "")])
    assert len({look.marker for look in looks.values()}) == 10


def test_seventy_two_lines_differ():
    entries = [tables.Entry(f"s{i}", "e", "c") for i in range(72)]
    assert len({(s.color, s.marker, s.dashes) for s in draw.styles(entries).values()}) == 72


def contrast(color, paper):
    """WCAG 2 contrast ratio of two `#rrggbb` colors."""

    def luminance(text):
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(color), luminance(paper)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("light", "dark"), draw.PALETTE)
def test_colors_stand_out_on_either_background(light, dark):
    assert contrast(light, "#ffffff") >= 3
    assert contrast(dark, "#14171b") >= 3
