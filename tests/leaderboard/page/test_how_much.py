"""The page's answer to how much pre-training is enough."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from helpers.budgeted import RUN, planted, world

from benchmark.leaderboard.page import html
from benchmark.leaderboard.statistics import stats


def built(folder: Path, raw: pd.DataFrame) -> str:
    """The page of scores and draws, as a run leaves them."""
    raw[[*stats.CELL, *stats.RUN, "share", "draws", "groups"]].to_parquet(folder / "draws.parquet")
    raw.drop(columns=["draws", "groups"]).to_parquet(folder / "scores.parquet")
    (folder / "run.json").write_text(json.dumps(RUN.model_dump(mode="json")))
    return html.build(folder).read_text(encoding="utf-8")


def test_budgets_are_a_question_of_their_own(tmp_path: Path) -> None:
    turned = {task: planted()[0.5][task][::-1] for task in ("key", "chord")}
    text = built(tmp_path, world(planted(at={0.5: turned})))
    section = text[text.index('id="budgets"') : text.index('id="tasks"')]
    assert "pitch</bdi>, 10% of the labels: the order is still moving" in section
    assert "time</bdi>, 10% of the labels: a stable order" in section
    assert "after 250,000 crops s00, s01, s02, s03, s04" in section
    time = section[section.index("time</bdi>") :]
    row = time[time.index("s07</bdi>") :]
    assert row.index("250,000</td>") < row.index("</tr>"), "enough"
    table = pd.read_csv(tmp_path / "budgets.csv")
    assert len(table) == 8 * 2 * 3
    assert table.query("strategy == 's07' and level == 'time' and share == 0.5")["enough"].item()


def test_one_budget_is_not_asked_about(tmp_path: Path) -> None:
    raw = world(planted())
    assert "How much pre-training?" not in built(tmp_path, raw[raw["share"] == 1])
    assert not (tmp_path / "budgets.csv").exists()
