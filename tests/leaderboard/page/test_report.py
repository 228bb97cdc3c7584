"""What the page shows, before it is a page: who leads, what can be filtered, what was measured, what leaks."""

from __future__ import annotations

import re

from helpers import planted

from benchmark.leaderboard.page import by_task, report


def gathered(folder, record=None, scores=None):
    return report.gather(planted.write(folder, planted.scores() if scores is None else scores, record))


def test_each_task_says_who_leads_and_who_may_as_well(tmp_path):
    """Intervals of about .02: byol, .12 behind, is told apart; the near twin is not."""
    found = gathered(tmp_path, scores=planted.scores({**planted.LEVELS, "twin": 0.61}))
    (key,) = [task for task in found.tasks if task.name == "key"]
    assert [lead.percent for lead in key.leads] == ["1%", "10%", "100%"]
    assert [(entry.strategy, score.texts[0]) for entry, score in key.leads[0].best] == [("simclr", "0.62")]
    assert key.leads[0].tied == 1
    assert [count.parts["train"] for count in key.counts] == ["8", "60", "600"]
    assert key.counts[0].parts == {"train": "8", "validation": "100", "test": "200"}


def test_a_range_of_counts_is_shown(tmp_path):
    scores = planted.scores()
    scores.loc[(scores["fraction"] == 0.01) & (scores["resample"] == 2), "n_train"] = 11
    assert gathered(tmp_path, scores=scores).tasks[0].counts[0].parts["train"] == "8 to 11"


def test_conventions_are_read_by_paragraph():
    head, lines = (
        "Key: 24 classes,\nMIREX.\n\nConventions\n-----------\n",
        ["Measured: the tonic", "of a clip. Label: notated."],
    )
    text = head + "\n".join([*lines, "Paper: A.\n"])
    labels = ["", "Measured", "Label", "Paper"]
    texts = ["Key: 24 classes, MIREX.", "the tonic of a clip.", "notated.", "A."]
    assert by_task.paragraphs(text) == list(zip(labels, texts, strict=True))


def test_an_anchor_is_the_name_where_an_address_bears_it():
    assert by_task.anchor("task", "multi_source-2.0") == "task-multi_source-2.0"
    hostile = [by_task.anchor("task", name) for name in (planted.HOSTILE, planted.HOSTILE + "x", "a b", "a-b", "a/b")]
    assert len(set(hostile)) == 5
    assert all(re.fullmatch(r"task-[A-Za-z0-9_.-]{1,60}", name) for name in hostile)


def test_filters_offer_what_there_is_a_choice_of(tmp_path):
    record = planted.run([*planted.LEVELS])
    record["strategies"]["simclr"]["family"] = "contrastive"
    record["strategies"]["byol"]["family"] = "self-distillation"
    record["strategies"]["constant"]["family"] = "baseline"
    found = {one.name: one.values for one in gathered(tmp_path, record).filters}
    assert found == {
        "family": ["self-distillation", "contrastive"],
        "encoder": ["mfcc_chroma", "cnn_small"],
        "level": ["timbre", "pitch", "time"],
    }, "no choice of corpus; constant stays in sight, and its family is no other row's"


def test_a_leak_is_told_from_chance(tmp_path):
    """Two controls with a standard error of .01 of ten shuffles may lie .0226 above chance, one-sided; .03 is more."""
    record = planted.run([*planted.LEVELS])
    about = {"strategy": "random", "probe": "linear", "metric": "weighted_score", "shuffles": 10}
    about |= {"stderr": 0.01, "chance": 0.2}
    record["control"] = [{"task": "key", **about, "value": value} for value in (0.21, 0.23)]
    for folder, up, leaks in (("up", True, [False, True]), ("down", False, [False, False])):
        record["tasks"]["key"]["higher_is_better"] = up
        found = gathered(tmp_path / folder, record, planted.few()).trust.control
        assert [checked.leaks for checked in found] == leaks


def test_what_varied_is_said(tmp_path):
    found = gathered(tmp_path, planted.run(["constant", "random", "simclr"]), planted.few()).trust
    assert found.seeds == [0, 1, 2]
    assert found.draws == ["3 at 1%", "3 at 10%", "1 at 100%"]


def test_the_page_opens_at_the_middle_fraction_that_has_scores(tmp_path):
    scores = planted.few()
    assert gathered(tmp_path / "all", planted.run([*planted.LEVELS]), scores).opens == 0.1
    assert gathered(tmp_path / "two", planted.run([*planted.LEVELS]), scores.query("fraction != 0.1")).opens == 0.01
