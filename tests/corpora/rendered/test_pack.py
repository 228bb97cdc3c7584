"""A pack stands in for the scores' readers: on a machine without them, the same labels and the same sound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.packages import without

from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.corpora.rendered.works import pack as packs
from benchmark.corpora.rendered.works import reading
from benchmark.corpora.rendered.works.chorales import read_chorales
from benchmark.corpora.rendered.works.folk import read_folk
from benchmark.corpora.rendered.works.groups import grouped
from benchmark.corpora.rendered.works.pack import pack, packed_works, reader_versions
from benchmark.corpora.rendered.works.reading import corpus_folder
from benchmark.corpora.rendered.works.work import Work
from benchmark.files import DATA_FOLDER
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.plan import plan

VERSION = RenderedScores.info.version
GRID = {
    "name": "lean",
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": ["random", "mfcc", "simclr", "multi_source"],
    "encoders": ["cnn_small"],
    "tasks": ["key", "beat", "instrument"],
    "fractions": {1.0: 1},
    "probes": ["linear"],
    "seeds": [0],
    "pretrain": {"crops": 640},
}
#: what a lean machine has not
ABSENT = r"music21|symusic|mlflow\w*|matplotlib|mpl_toolkits|pylab|ray"
#: plans, draws the catalog, renders the first shard
SCRIPT = """
import json, sys
from pathlib import Path
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.jobs import run_job
from benchmark.scheduler.planning.plan import plan
data = Path(sys.argv[1])
jobs = plan(Grid.model_validate(json.loads(sys.argv[2])))
print(json.dumps(list(jobs)))
for kind in ("catalog", "shard"):
    run_job(next(job for job in jobs.values() if job.kind == kind), data, data)
"""


@pytest.fixture(scope="module")
def works() -> list[Work]:
    """A few folk tunes and chorales."""
    folder = corpus_folder()
    found = [*read_folk(folder, 0, 40), *read_chorales(folder, 0, 60)]
    assert {work.collection == "bach" for work in found} == {True, False}
    return grouped(found)


@pytest.fixture
def data(tmp_path: Path, works: list[Work], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a pack, on a machine that cannot read scores."""
    assert pack(works, tmp_path, VERSION) == tmp_path / "packed" / "rendered_scores"
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    monkeypatch.setattr(packs, "READERS", ("a-package-that-is-not-there",))
    return tmp_path


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python that has all packages of this one but those that are ABSENT."""
    return without(ABSENT, tmp_path_factory.mktemp("lean") / "site-packages")


def lean_run(lean: dict[str, str], data: Path, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    # -S: without the site-packages that this Python would have
    command = [sys.executable, "-S", "-c", script, str(data), json.dumps(GRID)]
    return subprocess.run(command, env={**lean, DATA_FOLDER: str(data)}, capture_output=True, text=True, cwd=data)


def test_what_is_packed_is_what_was_read(data: Path, works: list[Work]) -> None:
    found = packed_works()
    assert [work.work for work in found] == [work.work for work in works], "the order decides which clips there are"
    for one, other in zip(found, works, strict=True):
        heads = [{name: value for name, value in vars(work).items() if name != "notes"} for work in (one, other)]
        assert heads[0] == heads[1]
        columns = ["part", "onset", "duration", "pitch"]
        np.testing.assert_array_equal(one.notes[columns].to_numpy(), other.notes[columns].to_numpy())


def test_a_machine_without_readers_plans_the_same_jobs_and_renders_the_same_clips(
    tmp_path: Path, works: list[Work], lean: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(works, tmp_path, VERSION)
    done = lean_run(lean, tmp_path)
    assert done.returncode == 0, done.stderr
    jobs = plan(Grid.model_validate(GRID))
    assert json.loads(done.stdout) == list(jobs)

    monkeypatch.setattr(reading, "read_works", lambda reader: works)
    (tmp_path / "here").mkdir()
    corpus = RenderedScores()
    here = corpus.catalog(tmp_path / "here", RenderedScores.sizes["tiny"])
    made = {key: tmp_path / job.kind / key[:2] / key for key, job in jobs.items()}
    folder, shard = (next(made[k] for k, job in jobs.items() if job.kind == kind) for kind in ("catalog", "shard"))
    here.to_parquet(tmp_path / "here" / "tracks.parquet", index=False)
    for name in ("tracks.parquet", "notes.parquet", "works.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / name), pd.read_parquet(tmp_path / "here" / name))
    clips = [clip["mix"] for clip in corpus.render(here[:3], tmp_path / "here")]
    sound = np.load(shard / "mix.npy")
    np.testing.assert_array_equal(sound[: sum(map(len, clips))], np.concatenate(clips))


def test_the_lean_machine_is_lean(lean: dict[str, str], tmp_path: Path) -> None:
    script = """
import importlib.util
from importlib.metadata import PackageNotFoundError, version
for name in ("music21", "symusic", "mlflow", "matplotlib", "ray"):
    assert importlib.util.find_spec(name) is None, name
    try:
        raise AssertionError(f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
"""
    done = lean_run(lean, tmp_path, script)
    assert done.returncode == 0, done.stderr


def test_without_a_pack_planning_says_how_to_make_one(lean: dict[str, str], tmp_path: Path) -> None:
    done = lean_run(lean, tmp_path)
    assert "UserError" in done.stderr
    assert "data pack rendered_scores" in done.stderr


def test_versions_are_those_of_the_readers_that_made_it(data: Path) -> None:
    (data / "packed" / "rendered_scores" / "pack.json").write_text(
        json.dumps({"reader": VERSION, "versions": {"music21": "1.2", "symusic": "3.4"}, "sha256": {}})
    )
    assert reader_versions(VERSION) == {"music21": "1.2", "symusic": "3.4"}
    with pytest.raises(UserError, match=f"packed for version {VERSION} .* this is {VERSION + 1}"):
        reader_versions(VERSION + 1)


@pytest.mark.parametrize("text", ["", '{"reader": 1', "[]", "{}"])
def test_a_record_that_is_cut_off_is_refused(data: Path, text: str) -> None:
    path = data / "packed" / "rendered_scores" / "pack.json"
    path.write_text(text)
    for ask in (packed_works, lambda: reader_versions(VERSION)):
        with pytest.raises(UserError, match=r"pack\.json is damaged: copy the pack again"):
            ask()


def test_a_changed_pack_is_refused(data: Path) -> None:
    path = data / "packed" / "rendered_scores" / "notes.parquet"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.parquet is not what was packed"):
        packed_works()


def test_a_new_pack_replaces_the_old_one(data: Path, works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(packs, "READERS", ("music21", "symusic"))
        pack(works[:3], data, VERSION)
    assert [work.work for work in packed_works()] == [work.work for work in works[:3]]
    assert [path.name for path in (data / "packed").iterdir()] == ["rendered_scores"], "nothing else is left"


def test_scores_are_read_once_per_data_folder_and_again_if_what_was_kept_is_damaged(
    tmp_path: Path, works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    times_read = []
    monkeypatch.setattr(reading, "_read", lambda: times_read.append(1) or works)
    monkeypatch.delenv(DATA_FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    assert [work.work for work in reading.read_works(VERSION)] == [work.work for work in works]
    assert not list(tmp_path.iterdir()), "without a data folder nothing is kept"
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    for _ in range(2):
        found = reading.read_works(VERSION)
    assert len(times_read) == 2
    assert [work.work for work in found] == [work.work for work in works]
    reading.read_works(VERSION + 1)
    assert len(times_read) == 3, "another version of the corpus may read otherwise"
    for table in (tmp_path / "packed").glob("*/notes.parquet"):
        os.truncate(table, 100)
    assert [work.work for work in reading.read_works(VERSION)] == [work.work for work in works]
    assert len(times_read) == 4
