"""What is planted comes out: winner, tie and gaps, in the cells, in the CSV and in the terminal."""

from __future__ import annotations

import csv

import pandas as pd
import pytest
from helpers import planted
from rich.console import Console

from benchmark.interfaces import UserError
from benchmark.leaderboard.drawing.terminal import terminal
from benchmark.leaderboard.page import html
from benchmark.leaderboard.record import Run, load_run
from benchmark.leaderboard.statistics import stats, tables
from benchmark.leaderboard.statistics.headline import headline as by_level

TIED = {**planted.LEVELS, "byol": planted.LEVELS["simclr"] - 0.005}


def gaps(scores):
    """Take away mfcc's scores on key at 1%."""
    return scores[~((scores["strategy"] == "mfcc") & (scores["task"] == "key") & (scores["fraction"] == 0.01))]


def headline(scores, record=None):
    """The standing at 1% of the labels, linear probe."""
    run = Run.model_validate(record or {})
    return tables.standing(tables.cells(scores, run), run, 0.01, "linear")


def rows(standing):
    return {row.entry.strategy: row for row in standing.rows}


def shown(scores, record=None, width=100, by_task=False):
    console = Console(record=True, width=width, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        run = Run.model_validate(record or {})
        table = tables.cells(scores, run)
        found = None if by_task else by_level(stats.prepare(scores), table, run)
        console.print(terminal(table, found, run))
    return console.export_text()


def test_the_planted_winner_leads_and_the_tie_is_marked():
    standing = headline(planted.scores(TIED), planted.run(list(TIED)))
    assert [row.entry.strategy for row in standing.rows] == list(TIED), "the plan's order"
    assert [column.task for column in standing.columns] == list(planted.TASKS)
    marks = {name: {score.mark for score in row.scores} for name, row in rows(standing).items()}
    assert marks == {"simclr": {"best"}, "byol": {"tied"}, "mfcc": {""}, "random": {""}, "constant": {""}}
    assert rows(standing)["simclr"].scores[0].mean == pytest.approx(0.62)


def test_a_gap_stays_missing_and_its_strategy_incomplete():
    standing = headline(gaps(planted.scores()), planted.run(list(planted.LEVELS)))
    mfcc = rows(standing)["mfcc"]
    assert [score.mark for score in mfcc.scores] == ["", "missing", "", ""]
    table = tables.cells(gaps(planted.scores()), Run.model_validate(planted.run(list(planted.LEVELS))))
    ranks = table[(table["fraction"] == 0.01) & (table["probe"] == "linear")].groupby("strategy")["mean_rank"].first()
    assert ranks.dropna().to_dict() == {"simclr": 1.0, "byol": 2.0, "random": 3.0, "constant": 4.0}


def test_a_planned_strategy_that_never_ran_is_a_row():
    standing = headline(planted.scores(), planted.run([*planted.LEVELS, "vicreg"]))
    assert {score.mark for score in rows(standing)["vicreg"].scores} == {"missing"}


def test_without_a_run_record_the_plan_is_what_was_seen():
    standing = headline(gaps(planted.scores()))
    assert {c.task: c.metric for c in standing.columns}["instrument"] == "accuracy"
    assert rows(standing)["mfcc"].scores[2].mark == "missing", "key, by name"


def test_everything_failed_is_still_a_table():
    nothing = planted.scores().head(0)
    standing = headline(nothing, planted.run(["simclr"]))
    assert {score.mark for score in standing.rows[0].scores} == {"missing"}
    with pytest.raises(UserError, match=r"nothing to report"):
        headline(nothing)


def test_lower_is_better_turns_the_order():
    record = planted.run(list(planted.LEVELS))
    for task in record["tasks"].values():
        task["higher_is_better"] = False
    marks = {
        row.entry.strategy: {score.mark for score in row.scores} for row in headline(planted.scores(), record).rows
    }
    assert marks["byol"] == {"best"}, "baselines apart"


def test_configurations_are_never_mixed():
    other = planted.scores({"simclr": 0.2}).assign(encoder="vit")
    standing = headline(pd.concat([planted.scores(), other]))
    assert [row.entry.encoder for row in standing.rows if row.entry.strategy == "simclr"] == [
        "cnn_small",
        "vit",
    ]


def test_csv_reads_back_exactly(tmp_path):
    cells = tables.cells(gaps(planted.scores()), Run())
    tables.write_csv(cells, tmp_path / "leaderboard.csv")
    with (tmp_path / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        back = pd.DataFrame(csv.DictReader(file))
    assert list(back.columns) == tables.CSV
    assert set(back["level"]) == {"tasks"}, "nobody said which"
    for name in ["mean", "low", "high", "n_train", "rank", "mean_rank"]:
        assert pd.to_numeric(back[name]).tolist() == pytest.approx(cells[name].tolist(), rel=0, abs=0, nan_ok=True)
    gap = back[(back["strategy"] == "mfcc") & (back["task"] == "key") & (back["fraction"] == "0.01")]
    assert gap["status"].tolist() == ["missing"] * 2
    assert gap["mean"].tolist() == [""] * 2


def test_a_bad_run_record_is_named(tmp_path):
    (tmp_path / "run.json").write_text('{"fractions": ["all"]}')
    with pytest.raises(UserError, match=r"run\.json is not a run record \(fractions\.0"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json is not JSON"):
        load_run(tmp_path)


def test_the_terminal_reads_well_at_100_columns():
    text = shown(gaps(planted.scores(TIED)), planted.run(list(TIED)), by_task=True)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.strip() for line in lines if "of the labels" in line] == [
        f"linear probe, {share} of the labels" for share in ["1%", "10%", "100%"]
    ]
    simclr = next(line for line in lines if line.strip().startswith("simclr"))
    assert simclr.split() == ["simclr", *["*0.62", "±.02"] * 4]
    assert "≈0.61" in next(line for line in lines if "≈" in line)
    assert "—missing" in next(line for line in lines if line.strip().startswith("mfcc"))
    assert "collapsed" in text
    assert "…" not in text


def test_twelve_tasks_are_split_over_tables():
    parts = [planted.scores().assign(task=lambda t, i=i: t["task"] + str(i)) for i in range(3)]
    text = shown(pd.concat(parts), by_task=True)
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("linear probe, 1% of the labels") == 3


def test_where_no_level_has_a_score_the_terminal_shows_the_tasks_and_says_why():
    """Without the constant predictor nothing says where a task's scale begins; somebody's own few rows are shown."""
    levels = {name: level for name, level in planted.LEVELS.items() if name != "constant"}
    text = shown(planted.scores(levels), planted.run(list(levels)))
    assert all(any(line.split()[:1] == [name] for line in text.splitlines()) for name in levels)
    assert all(task in text for task in planted.TASKS)
    assert "since no level has a score: that takes constant among the strategies" in " ".join(text.split())
    assert "no level has a score" not in shown(planted.scores(levels), planted.run(list(levels)), by_task=True)
    assert "no level has a score" not in shown(planted.scores(), planted.run(list(planted.LEVELS)))


def test_a_task_of_which_nothing_says_where_its_scale_begins_is_named(tmp_path):
    """One whose metric is no share (in percent, say), one that the constant predictor has no score on."""
    table = planted.scores()
    table.loc[table["task"] == "beat", "value"] *= 100
    table = table[(table["task"] != "metre") | (table["strategy"] != "constant")]
    text = " ".join(shown(table).split())
    assert "in no level: beat, metre, since nothing says what is scored there without learning" in text
    assert "in no level" not in shown(planted.scores())
    page = html.build(planted.write(tmp_path, table)).read_text()
    assert "In no level: <bdi>beat</bdi>, <bdi>metre</bdi>, since nothing" in page


def test_one_run_is_marked_in_the_terminal():
    assert "†" in next(line for line in shown(planted.scores(seeds=1)).splitlines() if "simclr" in line and "†" in line)


def test_a_hostile_name_is_text_in_the_terminal():
    name = "[red]\x1b[31m\u202e" + "x" * 300
    text = shown(planted.scores({**planted.LEVELS, name: 0.45}))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]\N{REPLACEMENT CHARACTER}[31m" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_terminal_says_where_a_row_is_not_the_papers_method():
    record = planted.run(list(planted.LEVELS))
    record["strategies"]["byol"] |= {"variants": {"cnn_small": "CNN masking"}}
    record["strategies"]["simclr"] |= {"variants": {"vit": "another"}}
    lines = shown(planted.scores(), record).splitlines()
    named = [i for i, line in enumerate(lines) if line.split()[:1] == ["byol"]]
    assert named
    assert [i - 1 for i, line in enumerate(lines) if "CNN masking" in line] == named
    assert not any("another" in line for line in lines)


def test_labels_that_a_strategy_heard_are_said_and_its_own_tasks_are_marked():
    run = {
        "strategies": {"simclr": {"heard": ["family", "metre"], "heard_share": 0.5}, "random": {}},
        "tasks": {"instrument": {"labels": ["family"]}, "key": {"labels": ["key", "mode"]}},
    }
    record = Run.model_validate(run)
    table = tables.cells(planted.scores(), record)
    for row in tables.standing(table, record, 0.1, "linear").rows:
        told = row.entry.strategy == "simclr"
        assert row.heard == ("50% of the labels: family, metre" if told else "")
        marked = {s for s, score in zip(["instrument", "key"], row.scores, strict=False) if score.heard}
        assert marked == ({"instrument"} if told else set())


def test_rows_with_nothing_to_seed_are_known_by_the_record_and_of_an_old_one_by_their_seeds():
    old = {
        "mfcc": {"trains": False, "seeds": 1},
        "random": {"trains": False, "seeds": 3},
        "simclr": {"trains": True, "seeds": 1},
    }
    assert Run.model_validate({"strategies": old}).fixed == {"mfcc"}
    single = {name: {**note, "seeds": 1} for name, note in old.items()}
    assert Run.model_validate({"strategies": single}).fixed == set()
    said = {name: {**note, "seeded": name != "mfcc"} for name, note in single.items()}
    assert Run.model_validate({"strategies": said}).fixed == {"mfcc"}


def test_one_seed_is_starred_only_where_all_have_one():
    scores = planted.scores()
    lone = scores[(scores["strategy"] != "simclr") | (scores["seed"] == 0)]
    standing = rows(headline(lone))
    assert {score.mark for score in standing["simclr"].scores} == {""}, "nothing is said of it"
    assert {score.mark for score in standing["byol"].scores} == {"best"}
    assert all(score.lone for score in standing["simclr"].scores)
    assert not any(score.lone for score in standing["byol"].scores)
    text = shown(lone, planted.run(list(planted.LEVELS)))
    assert "byol; 1 with one seed not compared" in text
    assert "one seed not compared" not in shown(scores, planted.run(list(planted.LEVELS)))


def test_a_row_with_fewer_seeds_and_draws_lacks_nothing() -> None:
    run = Run.model_validate(
        {
            "fractions": [0.1, 1.0],
            "resamples": [5, 1],
            "strategies": {"simclr": {"seeds": 3}, "supervised": {"seeds": 2, "draws": {"0.1": 2, "1.0": 1}}},
        }
    )
    assert [run.planned_runs("simclr", fraction) for fraction in (0.1, 1.0)] == [15, 3]
    assert [run.planned_runs("supervised", fraction) for fraction in (0.1, 1.0)] == [4, 2]


def test_a_planned_third_is_the_scored_one() -> None:
    thirds = {0.01: 1 / 3, 0.1: 2 / 3, 1.0: 1.0}
    record = {**planted.run(list(planted.LEVELS)), "fractions": list(thirds.values())}
    scores = stats.prepare(planted.scores().assign(fraction=lambda table: table["fraction"].map(thirds)))
    table = tables.cells(scores, Run.model_validate(record))
    assert sorted(set(table["fraction"])) == [0.333333, 0.666667, 1.0]
    assert (table["status"] != "missing").all()


def test_an_encoder_that_was_planned_and_never_read_is_missing() -> None:
    record = planted.run(list(planted.LEVELS))
    record["strategies"]["simclr"]["encoders"] = ["cnn_small", "vit"]
    table = tables.cells(planted.scores(), Run.model_validate(record)).query("strategy == 'simclr'")
    assert table.groupby("encoder")["status"].agg(set).to_dict() == {"cnn_small": {"scored"}, "vit": {"missing"}}


def test_rows_of_several_encoders_are_told_apart_by_name() -> None:
    scores = planted.scores()
    other = scores[scores["strategy"] == "simclr"].assign(encoder="vit", value=lambda table: table["value"] + 0.1)
    text = shown(pd.concat([scores, other]), planted.run(list(planted.LEVELS)), width=140)
    assert "simclr (vit" in text
