"""The page: whole, safe, self-contained, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import planted
import pytest

from benchmark.interfaces import UserError
from benchmark.leaderboard import figures, page, tables
from benchmark.leaderboard.record import Run

VOID = {"meta", "link", "br", "hr", "img", "input", "use", "path", "rect"}


class Reader(HTMLParser):
    """Collects what the tests ask about, and checks that elements nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def built(folder, scores=None, record=None):
    scores = planted.scores() if scores is None else scores
    return page.build(planted.write(folder, scores, record)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return built(tmp_path_factory.mktemp("full"), record=planted.run([*planted.LEVELS, "vicreg"]))


def test_the_page_holds_what_was_planted(full):
    reader = Reader(full)
    text = " ".join(reader.texts)
    assert len(reader.all("table")) == 6 * 3 + 1 + 1
    assert len(reader.all("figure")) == len(planted.TASKS)
    for word in [
        "simclr",
        "vicreg",
        "— missing",
        "incomplete",
        "collapsed",
        "MemoryError: 4 GiB <b>short</b>",
    ]:
        assert word in text
    for word in [
        "How to read",
        "CC0-1.0",
        "https://example.org/byol",
        "batch_size",
        "Scored through mir_eval.",
    ]:
        assert word in text
    best = [attrs for attrs in reader.all("td") if attrs.get("class") == "score best"]
    assert len(best) == 6 * 4


def drawn(scores):
    """The main metrics on resampled test sets, which move all strategies alike."""
    main = [planted.TASKS[task][0] == metric for task, metric in zip(scores["task"], scores["metric"], strict=True)]
    moves = np.random.default_rng(0).normal(0, 0.05, 100)
    table = scores[main].assign(groups=100)
    return table.assign(draws=[(value + moves).tolist() for value in table["value"]])


def test_pairs_are_told_apart_by_what_they_do_not_share(tmp_path):
    """Intervals of .1 overlap, but on every resample simclr is ahead of byol by the planted .12; the twins tie."""
    scores = planted.scores({**planted.LEVELS, "twin": 0.62}, stderr=0.05)
    drawn(scores).to_parquet(tmp_path / "draws.parquet")
    text = built(tmp_path, scores)
    pairs = pd.read_csv(tmp_path / "pairs.csv").query("task == 'key' and fraction == 0.01 and probe == 'linear'")
    found = {(row.first_strategy, row.second_strategy): row for row in pairs.itertuples()}
    assert found["byol", "simclr"].wins == "second"
    assert found["byol", "simclr"].difference == pytest.approx(-0.12)
    assert found["simclr", "twin"].wins == "tied"
    assert len(found) == 6 * 5 / 2
    assert "Every pair" in text
    assert text.count("▲+0.12") == text.count("▼-0.12") > 0


def test_corrupted_scores_stand_beside_the_clean_ones_and_move_none_of_them(tmp_path):
    scores = planted.scores()
    heard = scores[scores["task"] == "key"]
    worse = [
        heard.assign(corruption="noise", severity=severity, value=heard["value"] - severity / 10) for severity in (1, 4)
    ]
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    clean = scores.assign(corruption="", severity=0)
    text = built(tmp_path / "with", pd.concat([clean, *worse], ignore_index=True))
    table = text[text.index('id="robustness-1"') :]
    assert ">0.76</td>" in table[: table.index("</table>")], "simclr at all labels, clean"
    assert ">0.66 0.36</td>" in table[: table.index("</table>")]
    built(tmp_path / "without", scores)
    with_noise, without = (pd.read_csv(tmp_path / name / "leaderboard.csv") for name in ("with", "without"))
    pd.testing.assert_frame_equal(with_noise, without)
    assert 'id="robustness' not in (tmp_path / "without" / "leaderboard.html").read_text()


def test_without_draws_no_pairs_are_pretended(full):
    assert "Every pair" not in full


def test_the_page_is_accessible(full):
    reader = Reader(full)
    assert reader.all("html")[0]["lang"] == "en"
    assert all("scope" in attrs for attrs in reader.all("th"))
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert all(a["role"] == "img" and a["aria-label"] for a in reader.all("svg"))
    sortable = [attrs for attrs in reader.all("th") if attrs["scope"] == "col"]
    assert len(reader.all("button")) == len(sortable) - 4, "all but those of the papers' findings"
    assert [a["aria-sort"] for a in sortable if "aria-sort" in a] == ["ascending"] * 12
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_page_loads_nothing(full):
    reader = Reader(full)
    for _, attrs in reader.elements:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert attrs.get(name, "#").startswith("#")
    assert not re.search(r"url\(\s*['\"]?(?!#)", full)
    assert "@import" not in full
    assert reader.all("link") == []


def test_only_our_script_may_run(full):
    reader = Reader(full)
    policy = next(a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    script = re.search(r"<script>(.*?)</script>", full, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_page_is_small_and_reproducible(tmp_path, full):
    assert len(full.encode()) < 400_000
    record = planted.run([*planted.LEVELS, "vicreg"])
    shuffled = planted.scores().sample(frac=1, random_state=1)
    assert built(tmp_path / "again", shuffled, record) == full
    first = (tmp_path / "again" / "leaderboard.csv").read_bytes()
    page.build(tmp_path / "again")
    assert (tmp_path / "again" / "leaderboard.csv").read_bytes() == first


def test_hostile_names_are_text(tmp_path):
    name = planted.HOSTILE
    scores = planted.scores({**planted.LEVELS, name: 0.45})
    scores["task"] = scores["task"].replace("key", name)
    scores["metric"] = scores["metric"].replace("f_measure", "$\\frac" + name)
    scores["probe"] = scores["probe"].replace("mlp", name)
    record = planted.run([name])
    record |= {"grid": name, "command": name, "settings": {name: name}, "tasks": {name: {"title": name}}}
    record["failures"] = [{"job": name, "error": name + "\x00\ud800"}]
    record["pretraining"] = [{"strategy": name, "collapsed": True}]
    reader = Reader(built(tmp_path, scores, record))
    assert len(reader.all("script")) == 1
    assert not any(key.startswith("on") for _, attrs in reader.elements for key in attrs)
    assert name in reader.texts
    assert any(name in (attrs.get("aria-label") or "") for attrs in reader.all("svg"))


def test_the_page_needs_no_run_record(tmp_path):
    text = " ".join(Reader(built(tmp_path)).texts)
    assert "No run.json beside the scores" in text
    assert "simclr" in text


def test_a_page_of_failures_only(tmp_path):
    record = planted.run(["simclr"])
    text = " ".join(Reader(built(tmp_path, planted.scores().head(0), record)).texts)
    assert "no strategy has all its scores" in text
    assert "24 missing" in text


def test_no_scores_no_page(tmp_path):
    with pytest.raises(UserError, match=r"does not exist"):
        page.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_lines_are_told_apart_without_color():
    entries = [tables.Entry(f"s{i}", "e", "c") for i in range(8)]
    looks = figures.styles([*entries, tables.Entry("random", "e", ""), tables.Entry("constant", "e", "")])
    assert len({look.marker for look in looks.values()}) == 10


def test_seventy_two_lines_differ():
    entries = [tables.Entry(f"s{i}", "e", "c") for i in range(72)]
    assert len({(s.color, s.marker, s.dashes) for s in figures.styles(entries).values()}) == 72


def contrast(color, paper):
    """WCAG 2 contrast ratio of two `#rrggbb` colors."""

    def luminance(text):
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(color), luminance(paper)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("light", "dark"), figures.PALETTE)
def test_colors_stand_out_on_either_background(light, dark):
    assert contrast(light, "#ffffff") >= 3
    assert contrast(dark, "#14171b") >= 3


def test_a_gap_is_named_in_the_figure():
    scores = planted.scores()
    gap = (scores["strategy"] == "mfcc") & (scores["task"] == "key") & (scores["fraction"] == 0.1)
    cells = tables.cells(scores[~gap], Run())
    column = next(c for c in tables.standings(cells, Run())[0].columns if c.task == "key")
    figure = figures.label_efficiency(cells, column, "linear", "f0")
    lines = {line.entry.strategy: line for line in figure.lines}
    assert lines["mfcc"].missing == ["10%"]
    assert pd.isna(lines["mfcc"].mean[1])
    assert "n = 60" in figure.svg
    assert figure.lines[0].entry.strategy == "simclr"
