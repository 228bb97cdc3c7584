"""What `smoke` claims, held to its own leaderboard (minutes: pytest -m long)."""

from __future__ import annotations

import json
from pathlib import Path

import oracles
import pandas as pd
import pytest

from benchmark.audio.waveforms import Waveforms
from benchmark.corpora.rendered_scores import RenderedScores
from benchmark.scheduler.store import MANIFEST

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

TABLE = Path(__file__).resolve().parents[1] / "results" / "useful-band.md"
BASELINES = ("random", "mfcc", "simclr", "byol")
ORACLES = {
    "instrument": "MFCC of the lead's own stem, probed",
    "key": "template on chroma, transposed to 12 keys",
    "metre": "onset autocorrelation at the known tempo, probed",
    "beat": "onset strength, dynamic programming at the known tempo",
}


@pytest.fixture(scope="module")
def smoke(cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results and data of the README's command."""
    out, data = tmp_path_factory.mktemp("smoke"), tmp_path_factory.mktemp("smoke-data")
    done = cli("run", "--grid", "smoke", "--out", str(out), "--data-dir", str(data), timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, data


@pytest.fixture(scope="module")
def linear(smoke: tuple[Path, Path]) -> pd.DataFrame:
    """Main metrics of the linear probe, by (strategy, task, fraction)."""
    table = pd.read_csv(smoke[0] / "leaderboard.csv")
    return table[(table["probe"] == "linear") & table["main"]].set_index(["strategy", "task", "fraction"]).sort_index()


def test_simclr_beats_the_untrained_encoder(linear: pd.DataFrame) -> None:
    def wins(task: str) -> bool:
        return all(
            linear.loc[("simclr", task, fraction), "low"] > linear.loc[("random", task, fraction), "high"]
            for fraction in (0.1, 1.0)
        )

    assert wins("key"), linear.loc[["simclr", "random"], ["mean", "low", "high"]].to_string()


def test_mfcc_is_a_real_contestant(linear: pd.DataFrame) -> None:
    for task in ORACLES:
        assert linear.loc[("mfcc", task, 1.0), "low"] > linear.loc[("constant", task, 1.0), "high"], task


def test_nothing_has_collapsed(smoke: tuple[Path, Path]) -> None:
    trained = json.loads((smoke[0] / "run.json").read_text())["pretraining"]
    assert {p["strategy"] for p in trained} == {"simclr", "byol"}
    for p in trained:
        print({k: p[k] for k in ("strategy", "loss", "std", "effective_rank", "mean_cosine")})
        assert not p["collapsed"]


def test_every_task_lies_in_the_useful_band(smoke: tuple[Path, Path], linear: pd.DataFrame) -> None:
    """An oracle far above chance, so that the label is in the audio; no generic baseline near the top."""
    _, data = smoke
    catalog, joined = (next((data / kind).rglob(MANIFEST)).parent for kind in ("catalog", "waveforms"))
    waves = Waveforms.open(joined, RenderedScores.sample_rate)
    ceilings = {
        "instrument": oracles.lead_alone(waves, catalog),
        "key": oracles.key_template(waves),
        "metre": oracles.metre_autocorrelation(waves),
        "beat": oracles.beats_at_known_tempo(waves),
    }
    lines = [
        "# The useful band",
        "",
        f"Written by `pytest -m long tests/test_smoke.py` on {len(waves.tracks)} clips of `rendered_scores` version "
        f"{RenderedScores.info.version}: scores of `smoke` at 100 % of the labels, linear probe, and of an oracle that "
        "knows the right feature.",
        "",
        "| task | metric | chance | " + " | ".join(BASELINES) + " | oracle | what it knows |",
        "|---|---|" + "---|" * (len(BASELINES) + 3),
    ]
    for task, ceiling in ceilings.items():
        chance = linear.loc[("constant", task, 1.0), "mean"] if task != "beat" else oracles.beats_at_random(waves)
        generic = [linear.loc[(name, task, 1.0), "mean"] for name in BASELINES]
        figures = " | ".join(f"{value:.2f}" for value in (chance, *generic, ceiling))
        metric = linear.loc[("mfcc", task, 1.0), "metric"]
        lines.append(f"| {task} | {metric} | {figures} | {ORACLES[task]} |")
        assert ceiling > chance + 0.3, (
            f"{task}: not even an oracle hears the label ({ceiling:.2f}, chance {chance:.2f})"
        )
        assert max(generic) < 0.85, f"{task}: saturated by a generic baseline"
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def test_nothing_is_left_to_do(cli, smoke: tuple[Path, Path]) -> None:
    out, data = smoke
    before = (out / "scores.parquet").stat().st_mtime_ns
    again = cli("run", "--grid", "smoke", "--out", str(out), "--data-dir", str(data))
    assert again.returncode == 0
    assert "finished" not in again.stdout + again.stderr
    assert (out / "scores.parquet").stat().st_mtime_ns == before
