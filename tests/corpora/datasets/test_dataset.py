"""What readers have in common: one reading of the annotations, files that are lost or replaced, official counts."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trees import TREES
from trees.files import written
from typer.testing import CliRunner, Result

from benchmark import files, registry
from benchmark.cli import main as cli
from benchmark.corpora.datasets.dataset import DATA_HOME, SPLITS, DataSet, _tracks
from benchmark.corpora.datasets.instruments.irmas import IRMAS
from benchmark.interfaces import Info
from benchmark.scheduler.grid import Audio
from benchmark.scheduler.jobs import run_job
from benchmark.scheduler.planning.keys import Plan
from benchmark.scheduler.planning.waveforms import prepare
from benchmark.store.artefacts import Store
from benchmark.store.job import Stores

DATA_SETS = [cls for cls in map(registry.corpora.get, registry.corpora.names()) if issubclass(cls, DataSet)]


class Few(DataSet):
    """Three files and a list of them."""

    info = Info("few", "Few", "nobody")
    folder, get, disk, licence = "few", "Look for it", "a few bytes", "none"
    read = 0

    def index(self, home: Path) -> pd.DataFrame:
        """The list."""
        type(self).read += 1
        return pd.read_csv(home / "list.csv").assign(group=0, split="train")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    written(tmp_path / "few/list.csv", "id,path\na,a.wav\nb,b.wav\nc,c.wav\n")
    for name, text in (("a", "one"), ("b", "two"), ("c", "three")):
        written(tmp_path / f"few/{name}.wav", text)
    return tmp_path / "few"


def test_a_file_of_another_length_changes_the_fingerprint_and_a_touched_one_does_not(home: Path) -> None:
    before = Few().fingerprint()
    os.utime(home / "a.wav", (1, 1))
    assert Few().fingerprint() == before
    seen = [before]
    for change in (
        lambda: written(home / "b.wav", "another"),
        (home / "b.wav").unlink,
        lambda: (home / "a.wav").rename(home / "b.wav"),
    ):
        change()
        assert Few().fingerprint() not in seen
        seen.append(Few().fingerprint())
    assert len({now["index"] for now in seen}) == 1


def test_a_copy_elsewhere_has_the_same_fingerprint(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Few().fingerprint()
    shutil.copytree(home, home.parent / "elsewhere/few")
    monkeypatch.setenv(DATA_HOME, str(home.parent / "elsewhere"))
    assert Few().fingerprint() == before


def test_a_file_that_cannot_be_asked_for_is_not_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is part of the fingerprint: without it this would be another corpus, and all be trained anew."""
    before, real, asked = Few().fingerprint(), os.stat, []

    def stale(path: str | Path, *args: object, **options: object) -> os.stat_result:
        if str(path).endswith("b.wav"):
            asked.append(path)
            if len(asked) % 4:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stale)
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0, 0.0))
    assert Few().fingerprint() == before
    monkeypatch.setattr(files, "PAUSES", (0.0,))
    with pytest.raises(OSError, match=r"Stale file handle: .*b\.wav"):
        Few().fingerprint()


def test_a_plan_and_a_catalog_read_the_annotations_once(home: Path) -> None:
    Few.read = 0
    for _ in range(2):
        Few().require(("id",))
        catalog = Few().catalog(home, Few().size("all"))
        Few().fingerprint()
    assert catalog["id"].tolist() == ["a", "b", "c"]
    assert Few.read == 1


def test_shards_are_decoded_from_the_catalog_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_HOME, str(tmp_path / "homes"))
    TREES["nsynth"](tmp_path / "homes")
    plan, data = Plan(), tmp_path / "data"
    prepare(plan, Audio(corpus="nsynth", size="all"), [])
    jobs = {job.kind: job for job in plan.jobs.values()}
    run_job(jobs["catalog"], data, data)
    for annotated in (tmp_path / "homes").rglob("examples.json"):
        annotated.unlink()
    _tracks.cache_clear()
    run_job(jobs["shard"], data, data)
    lengths = np.load(Store(data).open("shard", jobs["shard"].key) / "lengths.npy")
    assert lengths.tolist() == [round(1.2 * 16_000)] * 33


def test_no_verdict_is_stored_of_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_HOME, str(tmp_path / "homes"))
    monkeypatch.setattr(files, "PAUSES", (0.0,))
    TREES["nsynth"](tmp_path / "homes")
    plan, data = Plan(), tmp_path / "data"
    prepare(plan, Audio(corpus="nsynth", size="all"), [])
    jobs = {job.kind: job for job in plan.jobs.values()}
    run_job(jobs["catalog"], data, data)
    sound = sorted((tmp_path / "homes").rglob("*.wav"))[4]
    sound.rename(tmp_path / "kept")
    sound.symlink_to("/proc/self/mem")  # its first page is an input/output error
    with pytest.raises(OSError, match=f"Input/output error: .*{sound.name}"):
        run_job(jobs["shard"], data, data)
    assert not Stores(data, data).done(jobs["shard"])
    (tmp_path / "kept").rename(sound)
    run_job(jobs["shard"], data, data)
    assert json.loads((Store(data).open("shard", jobs["shard"].key) / "verdicts.json").read_text()) == []


@pytest.mark.parametrize("cls", [cls for cls in DATA_SETS if cls.expected], ids=lambda cls: cls.info.name)
def test_official_counts_take_in_each_split_once(cls: type[DataSet]) -> None:
    assert sorted("+".join(cls.expected).split("+")) == sorted(SPLITS)


def _check(root: Path) -> Result:
    _tracks.cache_clear()
    return CliRunner().invoke(cli.app, ["data", "check", "irmas", "--data-home", str(root)])


def test_a_lost_file_that_no_annotation_names_is_seen_by_the_official_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TREES["irmas"](tmp_path)
    monkeypatch.setattr(IRMAS, "expected", {"train+val": 60, "test": 12})
    whole = _check(tmp_path)
    assert "train+val: found 60 of 60\ntest: found 12 of 12\n" in whole.output
    assert "warning" not in whole.output
    next((tmp_path / "irmas/IRMAS-TrainingData").rglob("*.wav")).unlink()
    partial = _check(tmp_path)
    assert "train+val: found 59 of 60\ntest: found 12 of 12\n" in partial.output
    assert "warning: irmas is not complete, or another version: train+val has 59 tracks instead of 60" in partial.output
    assert partial.exit_code == whole.exit_code == 0
