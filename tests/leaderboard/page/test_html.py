"""The page: whole, safe, self-contained, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from benchmark.interfaces import UserError
from benchmark.leaderboard.page import html as page

VOID = {"meta", "link", "br", "hr", "img", "input", "use", "path", "rect", "wbr"}


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

    @property
    def text(self):
        return "".join(self.texts)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def built(folder, scores=None, record=None):
    scores = planted.scores() if scores is None else scores
    return page.build(planted.write(folder, scores, record)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    built(folder, record=planted.run([*planted.LEVELS, "vicreg"]))
    return folder


@pytest.fixture(scope="module")
def full(full_folder):
    return (full_folder / "leaderboard.html").read_text(encoding="utf-8")


def test_the_page_holds_what_was_planted(full):
    reader = Reader(full)
    assert len(reader.all("figure")) == len(planted.TASKS) + 2 * 3, "label efficiency, of levels too, and their price"
    for word in ["simclr", "vicreg", "— missing", "collapsed", "MemoryError: 4 GiB <b>short</b>"]:
        assert word in reader.text
    for word in ["How to read", "CC0-1.0", "https://example.org/byol", "batch_size", "Scored through mir_eval."]:
        assert word in reader.text
    best = [attrs for attrs in reader.all("td") if attrs.get("class") == "score best"]
    assert len(best) == 6 * (4 + 3), "tasks and levels"


def test_the_questions_come_in_order(full):
    asked = [text for text in Reader(full).texts if text.endswith("?") and text[0].isupper()]
    questions = ["Which pretext task should I use?", "For my task?", "At what price?", "Are the papers right, here?"]
    assert [text for text in asked if text in questions][-4:] == questions
    assert full.index('id="claims"') < full.index('id="trust"') < full.index('id="strategies"')


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
    section = text[text.index('id="task-key"') :]
    matrix = section[section.index("Every pair at 1%") : section.index("Every pair at 10%")]
    won = re.findall(r"<td class=w title=±[0-9.]+>0.12</td>", matrix)
    assert len(won) == 2, "simclr and its twin beat byol"


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
    section = text[text.index('id="task-key"') : text.index('id="task-metre"')]
    assert text.count("<h4>Robustness</h4>") == section.count("<h4>Robustness</h4>") == 1
    assert ">0.76</td>" in section, "simclr at all labels, clean"
    assert ">0.66\u20020.36</td>" in section
    built(tmp_path / "without", scores)
    with_noise, without = (pd.read_csv(tmp_path / name / "leaderboard.csv") for name in ("with", "without"))
    pd.testing.assert_frame_equal(with_noise, without)
    assert "<h4>Robustness</h4>" not in (tmp_path / "without" / "leaderboard.html").read_text(encoding="utf-8")


def test_without_draws_no_pairs_are_pretended(full):
    assert "Every pair" not in full


def test_the_page_is_accessible(full):
    reader = Reader(full)
    assert reader.all("html")[0]["lang"] == "en"
    assert all("scope" in attrs for attrs in reader.all("th"))
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert all(a["role"] == "img" and a["aria-label"] for a in reader.all("svg"))
    assert [a["aria-sort"] for a in reader.all("th") if "aria-sort" in a] == ["descending"] * 6, "by level"
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
    assert "media-src" not in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_page_is_small_and_reproducible(tmp_path, full, full_folder):
    assert len(full.encode()) < 400_000
    record = planted.run([*planted.LEVELS, "vicreg"])
    shuffled = planted.scores().sample(frac=1, random_state=1)
    assert built(tmp_path / "again", shuffled, record) == full
    first, again = ((folder / "leaderboard.csv").read_bytes() for folder in (full_folder, tmp_path / "again"))
    assert first == again


def test_a_row_says_where_it_is_not_the_papers_method(tmp_path):
    record = planted.run(list(planted.LEVELS))
    record["strategies"]["byol"] |= {"variants": {"cnn_small": "CNN masking"}}
    record["strategies"]["simclr"] |= {"variants": {"vit": "another"}}
    text = built(tmp_path, planted.scores(), record)
    assert Reader(text).text.count("On cnn_small: CNN masking, which is not the paper's method") == 1
    tag = '<span class="tag"><bdi>{}</bdi></span>'
    rows = [row for row in text.split("<tr") if 'data-value="byol"' in row]
    assert len(rows) > 6, "in each table of scores, and in that of what training cost"
    assert all(row.count(tag.format("CNN masking")) == 1 for row in rows)
    assert text.count(tag.format("CNN masking")) == len(rows)
    assert tag.format("another") not in text, "none of its rows is on vit"


def test_what_only_settled_on_the_corpus_is_not_called_pre_trained(tmp_path):
    """The note under a table speaks for the rows that say no more: an untrained one that heard the corpus has to."""
    record = planted.run(list(planted.LEVELS))
    settled = planted.scores()
    settled.loc[settled["strategy"] == "random", "pretrain_corpus"] = "rendered_scores"
    page_of = built(tmp_path, settled, record)
    assert "pre-trained on <bdi>rendered_scores</bdi>" in page_of
    row = page_of.partition('<th scope="row" data-value="random">')[2].partition("</th>")[0]
    assert "untrained, settled on <bdi>rendered_scores</bdi>" in row
    trained = page_of.partition('<th scope="row" data-value="simclr">')[2].partition("</th>")[0]
    assert "settled" not in trained


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
    record["strategies"][name] |= {"family": name, "options": {name: name}, "heard": [name]}
    record["strategies"][name]["variants"] = {"cnn_small": name}
    record |= {"grid_file": name, "warnings": [name], "corpora": {name: {name: name}}}
    record["environment"] = {"commit": name, "gpus": [name], "packages": {name: name}}
    record["control"] = [{"task": name, "strategy": name, "probe": name, "metric": name, "value": 0.2}]
    reader = Reader(built(tmp_path, scores, record))
    assert len(reader.all("script")) == 1
    assert not any(key.startswith("on") for _, attrs in reader.elements for key in attrs)
    assert name in reader.texts
    assert any(name in (attrs.get("aria-label") or "") for attrs in reader.all("svg"))


def test_the_page_needs_no_run_record(tmp_path):
    text = Reader(built(tmp_path, planted.few())).text
    assert "No run.json beside the scores" in text
    assert "simclr" in text


def test_a_page_of_failures_only(tmp_path):
    record = planted.run(["simclr"])
    text = Reader(built(tmp_path, planted.scores().head(0), record)).text
    assert "nothing says where a task's scale begins" in text
    assert "24 missing" in text


def test_no_scores_no_page(tmp_path):
    with pytest.raises(UserError, match=r"does not exist"):
        page.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_constant_and_random_stay_in_sight(full):
    table = full[full.index("<table") : full.index("</table>")]
    always = re.findall(r"<tr[^>]* data-always>\s*<th[^>]* data-value=\"(\w+)\"", table)
    assert sorted(always) == ["constant", "random"]


def test_where_the_run_comes_from_is_shown(tmp_path):
    record = planted.run([*planted.LEVELS])
    record["environment"] = {"commit": "abc123", "dirty": True, "packages": {"torch": "2.5.1"}, "gpus": ["H100"]}
    record |= {"corpora": {"rendered_scores": {"font": "ff00"}}, "grid_file": "name: smoke\n", "warnings": ["warm"]}
    text = Reader(built(tmp_path, planted.few(), record)).text
    for word in ["abc123, with files changed since", "2.5.1", "H100", "ff00", "name: smoke", "warm"]:
        assert word in text


def write_audio(folder, files, index):
    (folder / "audio").mkdir(parents=True)
    for name, content in files.items():
        (folder / "audio" / name).write_bytes(content)
    (folder / "audio" / "index.json").write_text(json.dumps(index))


def test_examples_can_be_heard_without_a_request(tmp_path):
    write_audio(tmp_path, {"00.mp3": b"sound"}, [{"file": "00.mp3", "title": "<b>clean</b>", "text": "a clip"}])
    text = built(tmp_path, planted.few())
    reader = Reader(text)
    (player,) = reader.all("audio")
    assert player["src"] == "data:audio/mpeg;base64," + base64.b64encode(b"sound").decode()
    assert "media-src data:;" in text
    assert "<b>clean</b>" in reader.texts


@pytest.mark.parametrize("name", ["../run.json", "/etc/passwd", "a.html", "gone.mp3"])
def test_only_sound_files_beside_the_index_are_taken(tmp_path, name):
    write_audio(tmp_path, {}, [{"file": name, "title": "", "text": ""}])
    with pytest.raises(UserError, match=r"index\.json is unusable"):
        built(tmp_path, planted.few(), planted.run([*planted.LEVELS]))


def test_the_full_grid_fits(tmp_path):
    """30 strategies on 4 tasks and 3 levels: their share of 3 MB for 14 and 4, beside 60 kB that do not grow."""
    levels = planted.LEVELS | {f"masked_contrastive_{i}": 0.4 + i / 100 for i in range(25)}
    scores = planted.scores(levels, seeds=2)
    drawn(scores).to_parquet(tmp_path / "draws.parquet")
    assert len(built(tmp_path, scores, planted.run([*levels])).encode()) < 60_000 + 2_940_000 * 7 / 18
