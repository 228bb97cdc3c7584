"""The page's answer to how much pre-training is enough."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.budgeted import FURTHER, LEVEL_OF, RUN, SHARES, further, planted, world

from benchmark.interfaces import Info
from benchmark.leaderboard.claims.claim import Claim, Verdict, check_after, check_all, frame_after
from benchmark.leaderboard.page import html
from benchmark.leaderboard.record import Pretraining, Run
from benchmark.leaderboard.statistics import stats


def built(folder: Path, raw: pd.DataFrame, planned: Run = RUN) -> str:
    """The page of scores and draws, as a run leaves them."""
    raw[[*stats.CELL, *stats.RUN, "share", "draws", "groups"]].to_parquet(folder / "draws.parquet")
    raw.drop(columns=["draws", "groups"]).to_parquet(folder / "scores.parquet")
    trained = [
        Pretraining(
            strategy=f"s{i:02d}", encoder="cnn", seed=seed, lengths={c: c / 250_000 * 1200 for c in SHARES.values()}
        )
        for i in range(8)
        for seed in range(3)
    ]
    run = planned.model_copy(update={"pretraining": trained})
    (folder / "run.json").write_text(json.dumps(run.model_dump(mode="json")))
    return html.build(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    built(folder, world(planted()))
    return folder


def test_budgets_are_a_question_of_their_own(tmp_path: Path) -> None:
    turned = {task: planted()[0.5][task][::-1] for task in ("key", "chord")}
    text = built(tmp_path, world(planted(at={0.5: turned})))
    section = text[text.index('id="budgets"') : text.index('id="tasks"')]
    assert "pitch</bdi>, 10% of the labels: the order differs between budgets<" in section
    assert "time</bdi>, 10% of the labels: a stable order" in section
    assert "after 250,000 crops s00, s01, s02, s03, s04" in section
    time = section[section.index("time</bdi>") :]
    row = time[time.index("s07</bdi>") :]
    assert row.index('250,000<span class="note">20 min</span><span class="note">then ') < row.index("</tr>"), (
        "enough, and its price"
    )
    table = pd.read_csv(tmp_path / "budgets.csv")
    assert len(table) == 8 * 2 * 3
    after = table.query("strategy == 's07' and level == 'time' and share == 0.5")
    assert (after["enough"].item(), after["seconds"].item()) == (True, 1200)


def test_seeds_that_went_further_stand_beside_what_they_had_before(tmp_path: Path, plain: Path) -> None:
    text = built(tmp_path, further(world(planted())), FURTHER)
    section = text[text.index('id="budgets"') : text.index('id="tasks"')]
    assert '500,000<span class="note">crops, 1 seed</span>' in section
    assert '250,000<span class="note">crops</span>' in section
    assert "what it added since, on the same seeds" in section
    time = section[section.index("time</bdi>") :]
    row = time[time.index("s07</bdi>") : time.index("</tr>", time.index("s07</bdi>"))]
    *_, beyond, _, _ = row.split("</td>")[:-1]
    assert re.search(r'0\.\d\d <span class="pm">±0\.0\d</span><span class="note">.0\.0\d ±0\.0\d</span>$', beyond)
    table = pd.read_csv(tmp_path / "budgets.csv").query("share == 2")
    assert table[["mean", "since", "since_half"]].notna().all(axis=None)
    assert "what it added since" not in (plain / "leaderboard.html").read_text(encoding="utf-8")


class Ahead(Claim):
    """Row 7 ahead of row 0 on key."""

    info = Info("ahead", "Ahead", "nobody")
    statement = measured = needs = "s07 reads key better than s00"

    def check(self, scores: pd.DataFrame, run: Run) -> Verdict:
        means = scores[(scores["task"] == "key") & (scores["share"] == 1)].groupby("strategy")["value"].mean()
        return Verdict("supported" if means["s07"] > means["s00"] else "contradicted")


def test_claims_are_checked_after_each_budget() -> None:
    raw = world(planted(at={0.5: {"key": planted()[0.5]["key"][::-1]}}))
    assert [verdict.word for _, verdict in check_all(raw, RUN, [Ahead])] == ["supported"]
    found = check_after(raw, RUN, [Ahead])["ahead"]
    assert [(crops, verdict.word) for crops, verdict in found] == [(125_000, "supported"), (250_000, "contradicted")]
    assert frame_after({"ahead": found})["verdict"].tolist() == ["supported", "contradicted"]
    assert check_after(raw[raw["share"] == 1], RUN, [Ahead]) == {}


def test_one_budget_is_not_asked_about(tmp_path: Path) -> None:
    raw = world(planted())
    assert "How much pre-training?" not in built(tmp_path, raw[raw["share"] == 1])
    assert not (tmp_path / "budgets.csv").exists()


def test_a_level_that_only_baselines_have_is_left_out(tmp_path: Path) -> None:
    """A run that is not through: its pretext tasks have no tempo, beat and metre yet."""
    raw = world(planted())
    text = built(tmp_path, raw[~raw["strategy"].map(RUN.pretext) | (raw["task"].map(LEVEL_OF) == "pitch")])
    section = text[text.index('id="budgets"') : text.index('id="tasks"')]
    assert "pitch</bdi>, 10% of the labels" in section
    assert "time</bdi>, 10% of the labels" not in section


def test_each_tau_stands_beside_its_own_budget(tmp_path: Path) -> None:
    """Nothing has been read on time after the smallest budget."""
    raw = world(planted())
    text = built(tmp_path, raw[(raw["share"] != 0.25) | (raw["task"].map(LEVEL_OF) == "pitch")])
    section = text[text.index('id="budgets"') : text.index('id="tasks"')]
    time = section[section.index("time</bdi>, 10%") :]
    assert "250,000 crops with 500,000 0." in time or "250,000 crops with 500,000 1." in time
    assert "125,000 crops with" not in time
    assert "500,000 crops with" not in section


def test_of_one_seed_nobody_knows_whether_the_order_holds(tmp_path: Path) -> None:
    raw = world(planted())
    section = built(tmp_path, raw[raw["seed"] == 0])
    assert section.count("whether the order is stable is not known") == 2
    assert "the order differs" not in section
    assert "the order may differ" not in section


def test_scores_without_draws_have_a_page(tmp_path: Path, plain: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    (tmp_path / "draws.parquet").unlink()
    assert "How much pre-training?" not in html.build(tmp_path).read_text()
    assert not (tmp_path / "budgets.csv").exists(), "nor what an earlier page had"
    assert not (tmp_path / "pairs.csv").exists()
