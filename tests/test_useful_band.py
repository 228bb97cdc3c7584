"""Every task of the embedded corpora lies in the useful band (some ten minutes: pytest -m long)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest
from oracles import ORACLES, Exam, Music, pulse

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.store.artefacts import MANIFEST

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

TABLE = Path(__file__).resolve().parents[1] / "results" / "useful-band.md"
#: of every task's main metric
CEILING = 1.0
BASELINES = ("random", "random_unsettled", "mfcc")
GRID = """
name: band
corpus: rendered_scores
size: small
strategies: [constant, random, random_unsettled, mfcc]
encoders: [cnn_small]
tasks: [{tasks}]
fractions: {{1.0: 1}}
probes: [linear]
seeds: [0]
pretrain: {{crops: 640}}
"""
HEAD = """# The useful band

Written by `pytest -m long tests/test_useful_band.py` on {corpora}, size `small`.

Scores at 100 % of the labels (linear probe, seed 0) of baselines that are made for no task, and of an oracle that knows
the right feature and is told what no probe is. In the band: the oracle is at least half-way from chance to the ceiling,
and no baseline is above 0.85 of the ceiling, which is 1, the best value of each metric. Chance: the constant predictor;
of beats and downbeats, where it finds none, a pulse at the median period.

| task | metric | chance | random | random_unsettled | mfcc | oracle | what it knows | in the band |
|---|---|---|---|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def band(cli: Callable[..., CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """A row per task: metric, chance, random, mfcc, oracle, whether it is in the band; also written as a table."""
    out, data = tmp_path_factory.mktemp("band"), tmp_path_factory.mktemp("band-data")
    (out / "grid.yaml").write_text(GRID.format(tasks=", ".join(ORACLES)))
    done = cli("run", "--grid", str(out / "grid.yaml"), "--out", str(out), "--data-dir", str(data), timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = pd.read_csv(out / "leaderboard.csv")
    linear = scores[scores["main"]].pivot_table(index="task", columns="strategy", values="mean")
    music = {corpus: _music(data, corpus) for corpus in _corpora()}
    rows = []
    for name, (oracle, _) in ORACLES.items():
        exam = Exam(task := registry.tasks.get(name)(), music[task.corpus])
        chance = pulse(exam) if task.output == "frame_activation" else linear.loc[name, "constant"]
        rows.append({"task": name, "metric": task.metric, "chance": chance, "oracle": oracle(exam)})
    table = pd.DataFrame(rows).set_index("task").join(linear[list(BASELINES)])
    table["heard"] = table["oracle"] >= (table["chance"] + CEILING) / 2
    table["open"] = table[["chance", *BASELINES]].max(axis=1) <= 0.85 * CEILING
    _write(table)
    return table


@pytest.mark.parametrize("task", ORACLES)
def test_an_oracle_hears_the_label_and_no_baseline_nears_the_ceiling(task: str, band: pd.DataFrame) -> None:
    row = band.loc[task]
    assert row["heard"], f"the oracle scores {row['oracle']:.2f}, chance {row['chance']:.2f}"
    assert row["open"], f"saturated: {row[list(BASELINES)].to_dict()}"


def test_every_embedded_task_has_an_oracle() -> None:
    embedded = ("rendered_scores", "rendered_chorales", "rendered_notes")
    assert sorted(ORACLES) == sorted(n for n in registry.tasks.names() if registry.tasks.get(n).corpus in embedded)


def _corpora() -> list[str]:
    return sorted({registry.tasks.get(name).corpus for name in ORACLES})


def _music(data: Path, corpus: str) -> Music:
    """What the run left in its data folder."""

    def folder(kind: str) -> Path:
        manifests = (data / kind).rglob(MANIFEST)
        return next(m.parent for m in manifests if json.loads(m.read_text())["spec"]["corpus"] == corpus)

    waves = Waveforms.open(folder("waveforms"), registry.corpora.get(corpus).sample_rate)
    return Music(waves, folder("catalog"))


def _write(table: pd.DataFrame) -> None:
    corpora = [f"`{name}` version {registry.corpora.get(name).info.version}" for name in _corpora()]
    text = HEAD.format(corpora=", ".join(corpora[:-1]) + " and " + corpora[-1])
    for name, row in table.iterrows():
        figures = " | ".join(f"{row[column]:.2f}" for column in ("chance", *BASELINES, "oracle"))
        verdict = "yes" if row["heard"] and row["open"] else "**no**"
        text += f"| {name} | {row['metric']} | {figures} | {ORACLES[str(name)][1]} | {verdict} |\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text)
