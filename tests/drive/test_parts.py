"""Parts that only some runs have: stems, several devices, fine-tuning, plugins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import TINY_GRID, command
from helpers.forked import quick
from helpers.runs import FEW, SMALL, one, scores_of, train_one
from trees.tags import mtat


@pytest.mark.long
def test_stems_are_kept_where_a_strategy_listens_to_them(data_dir: Path, tmp_path: Path) -> None:
    """A variant of multi_source hears one stem; the store holds it beside the mixture, and says where it sounds."""
    (tmp_path / "few.py").write_text(FEW)
    grid = TINY_GRID.replace(
        "[constant, random, mfcc, simclr, byol]", "{drums_only: {strategy: multi_source, sources: [drums]}}"
    ).replace("[instrument, key, metre, beat]", "[instrument]")
    grid = grid.replace("corpus: rendered_scores", "corpus: few_scores")
    out, done = train_one(tmp_path, grid, data_dir, "--plugin", str(tmp_path / "few.py"))
    assert done.returncode == 0, done.stderr
    assert set(scores_of(out)["strategy"]) == {"drums_only"}
    with_drums = [path.parent for path in data_dir.glob("waveforms/**/drums.npy")]
    assert len(with_drums) == 1
    tracks = pd.read_parquet(with_drums[0] / "tracks.parquet")
    assert 0.3 < tracks["active_drums"].mean() < 0.6
    drums, mix = (np.load(with_drums[0] / f"{stem}.npy", mmap_mode="r") for stem in ("drums", "mix"))
    row = tracks[~tracks["active_drums"]].iloc[0]
    assert not drums[row["offset"] : row["offset"] + row["length"]].any()
    assert mix[row["offset"] : row["offset"] + row["length"]].any()


@pytest.mark.long
def test_a_corpus_is_separated_once_for_who_listens_to_it(data_dir: Path, tmp_path: Path) -> None:
    """The second command finds the stems of the first; harmonic and percussive parts add up to the mixture."""
    (tmp_path / "few.py").write_text(FEW)
    few = ("--plugin", str(tmp_path / "few.py"))
    separate = (
        "data",
        "separate",
        "few_scores",
        "--size",
        "few",
        "--stems",
        "harmonic,percussive",
        *few,
        "--workers",
        "1",
    )
    done = command(*separate, "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stderr
    assert "percussive     sounds in" in done.stdout
    folder = Path(done.stdout.splitlines()[-1])
    mix, *parts = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("mix", "harmonic", "percussive"))
    np.testing.assert_array_equal(parts[0] + parts[1], mix)
    grid = TINY_GRID.replace(
        "[constant, random, mfcc, simclr, byol]", "{multi_source: {sources: [harmonic, percussive]}}"
    ).replace("[instrument, key, metre, beat]", "[instrument]")
    _, done = train_one(
        tmp_path,
        grid.replace(
            "corpus: rendered_scores\nsize: tiny", "corpus: few_scores\nsize: few\nsizes: {rendered_scores: tiny}"
        ),
        data_dir,
        *few,
        "--dry-run",
    )
    assert "done        join few_scores few with stems" in done.stdout
    again = quick(*separate, "--data-dir", str(data_dir))
    assert "finished" not in again.stderr
    assert str(folder) in again.stdout


@pytest.mark.long
def test_two_corpora_are_heard_together(data_dir: Path, tmp_path: Path) -> None:
    """Labels are known of one alone; each epoch is the training tracks of both; the untrained row settles on both."""
    mtat(tmp_path / "home")
    (tmp_path / "few.py").write_text(FEW)
    grid = TINY_GRID.replace("corpus: rendered_scores", "corpus: [few_scores, mtat]").replace("size: tiny", "size: few")
    grid = grid.replace("[instrument, key, metre, beat]", "[mtat_tags]").replace("{0.1: 2, 1.0: 1}", "{1.0: 1}")
    both = "{strategy: semisupcon, tags: [tags], threshold: 1, seconds: 0.5, pretrain: {batch_size: 8}}"
    grid = grid.replace("[constant, random, mfcc, simclr, byol]", f"{{random: {{}}, both: {both}}}")
    grid = grid.replace("crops: 640", "crops: 27")
    where = ("--plugin", str(tmp_path / "few.py"), "--data-home", str(tmp_path / "home"))
    out, done = train_one(tmp_path, grid, data_dir, *where)
    assert done.returncode == 0, done.stderr
    assert set(scores_of(out)["pretrain_corpus"]) == {"few_scores/few + mtat/all"}
    recorded = json.loads((out / "run.json").read_text())
    assert recorded["strategies"]["both"]["heard"] == ["few_scores/tags", "mtat/tags"]
    (trained,) = recorded["pretraining"]
    heard = [pd.read_parquet(path) for path in data_dir.glob("waveforms/**/tracks.parquet")]
    train = {int((tracks["split"] == "train").sum()) for tracks in heard}
    epochs = {round(trained["steps"] * 8 / (few + 12), 2) for few in train if few != 12}
    assert (trained["steps"], trained["batch"]) == (10, 8)
    assert trained["epochs"] in epochs
    page = (out / "leaderboard.html").read_text()
    assert "few_scores/few + mtat/all" in page


def test_one_job_on_two_devices(data_dir: Path, tmp_path: Path) -> None:
    grid = SMALL.replace("[simclr, random]", "[simclr]").replace("batch_size: 32", "batch_size: 32, devices: 2")
    out, done = train_one(tmp_path, grid, data_dir)
    assert done.returncode == 0, done.stderr
    assert set(scores_of(out)["strategy"]) == {"simclr"}
    assert len(list(out.rglob("encoder.safetensors"))) == 1
    assert not list(out.rglob("info.json"))


@pytest.mark.long
def test_finetuning_trains_on_from_the_checkpoint(data_dir: Path, tmp_path: Path) -> None:
    grid = SMALL.replace("{0.1: 2, 1.0: 1}", "{1.0: 1}").replace("[key, beat]", "[instrument, beat]")
    grid = grid.replace("crops: 640", "crops: 3200")  # also the most that labels are learned from
    out, done = train_one(tmp_path, grid, data_dir, "--protocol", "finetune")
    assert done.returncode == 0, done.stderr
    scores = scores_of(out)
    assert set(scores["probe"]) == {"finetune_linear"}
    assert set(scores["strategy"]) == {"simclr", "random"}
    assert one(out, "simclr", "instrument", "accuracy") > 0.2
    assert one(out, "simclr", "beat", "f_measure") > 0.3


@pytest.mark.long
def test_a_package_begun_with_new_is_installed_and_runs(data_dir: Path, tmp_path: Path) -> None:
    """As tests/new/test_generated.py does without pip, on the corpus that somebody would take."""
    begun, site = tmp_path / "my_idea", tmp_path / "site"
    assert command("new", "strategy", "my_idea", "--to", str(begun)).returncode == 0
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, str(begun)], check=True, capture_output=True)
    env = {"PYTHONPATH": str(site)}
    assert "my_idea" in command("list", "strategies", env=env).stdout
    assert "my_idea" not in command("list", "strategies").stdout
    path = tmp_path / "grid.yaml"
    path.write_text(SMALL)
    done = command(
        "run",
        "--grid",
        str(path),
        "--strategies",
        "my_idea,random",
        "--tasks",
        "key",
        "--workers",
        "1",
        "--data-dir",
        str(data_dir),
        "--out",
        str(tmp_path / "out"),
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert set(scores_of(tmp_path / "out")["strategy"]) == {"my_idea", "random"}
