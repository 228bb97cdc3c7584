"""What each row heard: planted numbers come out as ranges, by pretext task and by labels; old records say nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from benchmark.leaderboard.page import heard, html, report
from benchmark.leaderboard.record import Run

TOLD = {"steps": 375, "batch": 64, "epochs": 32.83, "learning_rate": 3e-3}


def record(**trends):
    """simclr and byol told what they heard; by row, the trend of each seed's loss."""
    run = planted.run([*planted.LEVELS, "supervised"])
    for job in run["pretraining"]:
        job |= {**TOLD, "crops": 24_000 - job["seed"], "trend": trends.get(job["strategy"], [None] * 3)[job["seed"]]}
    return run


def scores():
    """With a row that learned labels: 4 tasks x 3 fractions x draws x seeds x 2 probes, longer with more labels."""
    table = planted.scores({**planted.LEVELS, "supervised": 0.4})
    own = table["strategy"] == "supervised"
    steps = table["fraction"].map({0.01: 400.0, 0.1: 800.0, 1.0: 1500.0}).where(own)
    learned = {"steps": steps, "heard": 16 * steps, "epochs": steps / 8, "trend": np.where(own, -4.0, np.nan)}
    return table.assign(**learned, lr=3e-3, crops=np.nan)  # probes have a rate, too; crops are of pre-training


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    trends = {"simclr": [-9.0, -5.0, 0.5], "byol": [1.0, -1.0, 4.0]}
    folder = planted.write(tmp_path_factory.mktemp("heard"), scores(), record(**trends))
    return {(line.name, line.learned): line for line in report.gather(folder).heard}


def test_ranges_are_over_the_trainings_of_a_row(lines):
    simclr = lines["simclr", "pretext task"]
    assert simclr.trainings == 3
    assert {name: text for name, (text, _) in simclr.facts.items()} == {
        "crops": "23,998 to 24,000",
        "steps": "375",
        "epochs": "32.8",
        "learning rate": "0.003",
    }
    labels = lines["supervised", "labels"]
    assert labels.trainings == 4 * (9 + 9 + 3) * 2
    assert labels.facts["crops"] == ("6,400 to 24,000", 12_800)
    assert labels.facts["epochs"] == ("50 to 188", 100)
    assert {text for text, _ in lines["random", "nothing"].facts.values()} == {"—"}


def test_a_loss_that_still_moved_is_said(lines):
    assert lines["simclr", "pretext task"].loss == "falling in 2 of 3"
    assert lines["simclr", "pretext task"].trend == -5
    assert lines["byol", "pretext task"].loss == "rising in 1 of 3"
    assert lines["supervised", "labels"].loss == "falling in 168 of 168"


def test_a_level_loss_and_an_unknown_one_are_two_things():
    jobs = [{**TOLD, "strategy": name, "encoder": "e", "trend": t} for name, t in (("a", 2.0), ("b", None))]
    entries = [heard.Entry(name, "e", "") for name in "ab"]
    found = heard.heard(pd.DataFrame({"strategy": []}), entries, Run.model_validate({"pretraining": jobs}))
    assert [(line.name, line.loss) for line in found] == [("a", "level"), ("b", "")]
    assert [line.facts["crops"][0] for line in found] == ["—", "—"]


def test_what_was_never_recorded_is_not_shown(tmp_path):
    """The page of a record from before is without the question."""
    old = planted.run(["constant", "random", "simclr"])
    folder = planted.write(tmp_path, planted.few(), old)
    assert report.gather(folder).heard == []
    assert "What did each row hear?" not in html.build(folder).read_text(encoding="utf-8")


def test_the_page_and_the_export_have_the_table(tmp_path, lines):
    folder = planted.write(tmp_path, scores(), record())
    text = html.build(folder).read_text(encoding="utf-8")
    section = text[text.index('id="heard"') : text.index('id="claims"')]
    assert "23,998 to 24,000" in section
    assert 'data-value="0.003"' in section
    assert heard.frame(list(lines.values()))["crops"].tolist().count("6,400 to 24,000") == 1
