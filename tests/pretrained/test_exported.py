"""What is exported is what was scored: weights and numbers, from a run's own folder, a linked store, an archive."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

import benchmark
from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.bookkeeping.outputs import link
from benchmark.bookkeeping.upkeep import artefacts
from benchmark.cli.main import app
from benchmark.encoders.vit import ViT
from benchmark.interfaces import UserError
from benchmark.modules import Encoder
from benchmark.pretrained.script import script
from benchmark.probing.embed import embed
from benchmark.probing.features import Features
from benchmark.store.artefacts import Store

Export = Callable[..., Path]


def call(*args: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, args)])


def refused(*args: object) -> str:
    result = call(*args)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SimCLR of the tiny run, TorchScript as well."""
    folder = tmp_path_factory.mktemp("exported") / "simclr"
    assert call(tiny_run, "simclr", "--to", folder, "--format", "torchscript").exit_code == 0
    return folder


def recorded(run: Path, row: str) -> str:
    """The key of a row's checkpoint, as the run's own record says."""
    jobs = json.loads((run / "run.json").read_text())["pretraining"]
    return next(job["key"] for job in jobs if job["strategy"] == row)


@pytest.mark.parametrize("row", ["simclr", "byol"])
def test_weights_are_those_that_the_run_says_it_scored(tiny_run: Path, tmp_path: Path, row: str) -> None:
    assert call(tiny_run, row, "--to", tmp_path / "out").exit_code == 0
    kept = Store(tiny_run).folder("pretrain", recorded(tiny_run, row)) / "encoder.safetensors"
    ours, theirs = load_file(tmp_path / "out" / "encoder.safetensors"), load_file(kept)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    about = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (about["row"], about["key"], about["crops"]) == (row, recorded(tiny_run, row), 640)


def test_embeddings_are_bit_by_bit_those_that_probes_read(
    exported: Path, tiny_run: Path, data_dir: Path, tmp_path: Path
) -> None:
    """The benchmark's own way: the artefact's weights, the corpus's waveforms, `embed`."""
    run, encoder = json.loads((tiny_run / "run.json").read_text()), registry.encoders.get("cnn_small")()
    encoder.load_state_dict(
        load_file(Store(tiny_run).folder("pretrain", recorded(tiny_run, "simclr")) / "encoder.safetensors")
    )
    store = next(
        s for s in (Store(data_dir), Store(tiny_run)) if s.is_done("waveforms", run["sound"]["rendered_scores"])
    )
    waves = Waveforms.open(store.folder("waveforms", run["sound"]["rendered_scores"]), 16_000).select(np.arange(3))
    folders: dict[Any, Path] = {reads: tmp_path / reads for reads in ("clips", "frames")}
    mine = benchmark.load_encoder(exported)
    for track in range(3):
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        embed(encoder, waves.select(np.array([track])), folders, "cpu")
        row = waves.tracks.iloc[track]
        samples = waves.stems["mix"][row["offset"] : row["offset"] + row["length"]]
        clip, frames = mine.embed(samples, 16_000), mine.embed(samples, 16_000, frames=True)
        theirs = Features.open(folders["clips"], False)
        np.testing.assert_array_equal(clip, theirs.by_track(np.asarray(theirs.data), np.array([0]))[0])
        np.testing.assert_array_equal(
            frames.embeddings.astype(np.float16), np.load(folders["frames"] / "embeddings.npy")
        )
        assert clip.std() > 0.01
    assert mine.embed(torch.tensor(samples), 16_000).tobytes() == clip.tobytes()


def test_a_results_folder_may_keep_its_artefacts_elsewhere(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    for name in ("scores.parquet", "draws.parquet", "run.json"):
        shutil.copy(tiny_run / name, out)
    assert "no artefact" in refused(out, "simclr", "--to", tmp_path / "a")
    store = Store(tiny_run)
    link(out, store.root, [at.key for at in artefacts(store)])
    assert call(out, "simclr", "--to", tmp_path / "a").exit_code == 0
    assert (tmp_path / "a" / "encoder.safetensors").read_bytes() == (exported / "encoder.safetensors").read_bytes()
    link(out, store.root, [at.key for at in artefacts(store) if at.kind != "pretrain"])
    assert "its weights are not in" in refused(out, "simclr", "--to", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_an_export_beside_tables_without_a_store_is_copied(tiny_run: Path, tmp_path: Path) -> None:
    out, to = tmp_path / "results", tmp_path / "x"
    kept = out / "weights" / "simclr"
    assert call(tiny_run, "simclr", "--to", kept, "--half").exit_code == 0
    for name in ("scores.parquet", "draws.parquet", "run.json"):
        shutil.copy(tiny_run / name, out)
    for wrong, says in (
        (("--seed", 1), "which is of seed 0"),
        (("--crops", 10_000), "which heard 640"),
        (("--format", "torchscript"), "which has no TorchScript"),
    ):
        assert f"an export, {kept}, {says}" in refused(out, "simclr", "--to", to, *wrong)
        assert not to.exists()
    done = call(out, "simclr", "--to", to, "--seed", 0, "--crops", 640, "--half")
    assert f"copied from {kept}, in float16\nsimclr on cnn_small, seed 0, heard 640 crops" in done.output
    files = {path.name: path.read_bytes() for path in kept.iterdir()}
    assert {path.name: path.read_bytes() for path in to.iterdir()} == files
    assert "lies already" in refused(out, "simclr", "--to", kept)
    assert "no artefact" in refused(out, "byol", "--to", to)
    (kept / "encoder.safetensors").write_bytes(b"x")
    assert "checksum" in refused(out, "simclr", "--to", to)
    assert {path.name: path.read_bytes() for path in to.iterdir()} == files


def test_the_card_names_the_commit_that_trained(tiny_run: Path, tmp_path: Path) -> None:
    """Another run, of later code, may show what it has not trained."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    store, out = Store(tiny_run), tmp_path / "later"
    assert {store.manifest(*at)["info"]["commit"] for at in artefacts(store)} == {head.strip()}
    out.mkdir()
    for name in ("scores.parquet", "draws.parquet"):
        shutil.copy(tiny_run / name, out)
    record = json.loads((tiny_run / "run.json").read_text())
    record["environment"]["commit"] = "f" * 40
    (out / "run.json").write_text(json.dumps(record))
    link(out, store.root, [at.key for at in artefacts(store)])
    assert call(out, "simclr", "--to", tmp_path / "a").exit_code == 0
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"commit {head.strip()}" in card
    assert "f" * 40 not in card


def test_results_that_came_home_in_an_archive(
    tiny_run: Path, exported: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    """There is no run.json then: the scores alone say whose the weights are."""
    home = tmp_path / "home"
    for args in (
        ("store", "export", tiny_run, tmp_path / "all.tar", "--kinds", "pretrain,probe"),
        ("store", "import", tmp_path / "all.tar", home),
        ("report", home),
    ):
        assert CliRunner().invoke(app, list(map(str, args))).exit_code == 0, args
    assert not (home / "run.json").exists()
    assert call(home, "simclr", "--to", tmp_path / "a").exit_code == 0
    assert (tmp_path / "a" / "encoder.safetensors").read_bytes() == (exported / "encoder.safetensors").read_bytes()
    assert "| beat (" in (tmp_path / "a" / "README.md").read_text()


def test_the_card_tells_the_leaderboards_scores(exported: Path, tiny_run: Path) -> None:
    card = (exported / "README.md").read_text()
    told = pd.read_csv(tiny_run / "leaderboard.csv")
    own = told[(told["strategy"] == "simclr") & (told["fraction"] == 1)]
    levels, tasks = own[own["metric"] == "level score"], own[own["metric"] != "level score"]
    assert len(levels) >= 3
    assert tasks["main"].any()
    for task, mean in zip(levels["level"], levels["mean"], strict=True):
        line = next(line for line in card.splitlines() if line.startswith(f"| {task} | **simclr** |"))
        shown, half = map(float, line.split("|")[4].split("±"))
        assert shown == pytest.approx(mean, abs=0.006)
        assert half > 0
    for task, metric, main, mean in tasks[["task", "metric", "main", "mean"]].itertuples(index=False):
        if main:
            line = next(line for line in card.splitlines() if line.startswith(f"| {task} ({metric}) | **simclr** |"))
            assert float(line.split("|")[4].split("±")[0]) == pytest.approx(mean, abs=0.006)
    for said in (
        "| 640, of 3 s each |",
        "music21's corpus licence",
        "rendered_scores/tiny",
        "cannot say",
        "load_encoder",
    ):
        assert said in card


def test_rows_that_there_are_not_or_that_have_no_weights_are_refused_with_the_reason(
    tiny_run: Path, tmp_path: Path
) -> None:
    to = ("--to", tmp_path / "x")
    assert "did you mean 'simclr'" in refused(tiny_run, "simcl", *to)
    assert "load_encoder('mfcc_chroma')" in refused(tiny_run, "mfcc", *to)
    assert "nothing in its encoder is trained" in refused(tiny_run, "constant", *to)
    assert "simclr has 0" in refused(tiny_run, "simclr", *to, "--seed", 7)
    assert "simclr has 640" in refused(tiny_run, "simclr", *to, "--crops", 10_000)
    assert "did you mean 'cnn_small'" in refused(tiny_run, "simclr", *to, "--encoder", "cnn_smal")
    assert "nothing to report" in refused(tmp_path, "simclr", *to)
    assert "did you mean 'simclr'" in refused(tiny_run, "../simclr", *to)
    assert not (tmp_path / "x").exists()
    assert call(tiny_run, "random", *to).exit_code == 0, "untrained weights are weights"
    assert "nothing trained its weights" in (tmp_path / "x" / "README.md").read_text()


def test_what_is_in_the_folder_stays_unless_it_is_an_earlier_export(tiny_run: Path, tmp_path: Path) -> None:
    to = tmp_path / "x"
    assert call(tiny_run, "byol", "--to", to, "--format", "torchscript").exit_code == 0
    (to / "notes.txt").write_text("mine")
    before = (to / "encoder.safetensors").read_bytes()
    assert call(tiny_run, "simclr", "--to", to).exit_code == 0
    assert (to / "encoder.safetensors").read_bytes() != before
    assert not (to / "encoder.torchscript.pt").exists(), "it would be of other weights"
    assert (to / "notes.txt").read_text() == "mine"
    for name, text in (("notes.txt", "mine"), ("config.json", '{"model_type": "bert"}'), ("config.json", "{")):
        other = tmp_path / "other"
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        (other / name).write_text(text)
        assert "there is something else in it" in refused(tiny_run, "simclr", "--to", other)
        assert [path.name for path in other.iterdir()] == [name]
    assert "is a file" in refused(tiny_run, "simclr", "--to", to / "notes.txt")


def test_half_is_half_and_near(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    assert call(tiny_run, "simclr", "--to", tmp_path / "half", "--half").exit_code == 0
    sizes = [(folder / "encoder.safetensors").stat().st_size for folder in (exported, tmp_path / "half")]
    assert sizes[1] < 0.52 * sizes[0]
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000)
    whole, half = (benchmark.load_encoder(folder).embed(noise, 16_000) for folder in (exported, tmp_path / "half"))
    assert 0 < np.abs(whole - half).max() < 5e-3 * np.abs(whole).max()


def test_damage_and_other_versions_are_told(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    weights, config = copy / "encoder.safetensors", copy / "config.json"
    about = json.loads(config.read_text())
    for change, told in (
        ({"encoder_version": 1}, "version 1 of cnn_small"),
        ({"encoder": "cnn_smal"}, "did you mean 'cnn_small'"),
        ({"encoder_source": "0" * 64}, "other code of it"),
        ({"format": "mir-pretext encoder 9"}, "this version can read"),
        ({"encoder": "vit", "encoder_version": ViT.info.version}, "does not hold the weights of vit"),
    ):
        config.write_text(json.dumps(about | change))
        with pytest.raises(UserError, match=told):
            benchmark.load_encoder(copy)
    config.write_text(json.dumps(about))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        benchmark.load_encoder(copy)
    weights.unlink()
    with pytest.raises(UserError, match=r"lacks encoder\.safetensors"):
        benchmark.load_encoder(copy)


def test_names_without_weights_load_and_others_say_what_to_do() -> None:
    assert benchmark.load_encoder("mfcc_chroma").clip_dim == 66
    for name, told in (("cnn_small", "has to be trained"), ("nowhere", "no such folder")):
        with pytest.raises(UserError, match=told):
            benchmark.load_encoder(name)


def test_torchscript_gives_the_frames_and_needs_none_of_our_code(exported: Path) -> None:
    with pytest.warns((DeprecationWarning, FutureWarning), match="torch.jit.load"):
        traced = torch.jit.load(exported / "encoder.torchscript.pt")
    mine = benchmark.load_encoder(exported).encoder
    for count, samples in ((1, 16_000), (3, 70_001), (20, 40_000)):
        audio = 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            torch.testing.assert_close(traced(audio), mine(audio), rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", [n for n in registry.encoders.names() if registry.encoders.get(n).offers])
def test_every_encoder_that_can_be_trained_can_be_scripted(name: str) -> None:
    torch.manual_seed(0)
    encoder: Encoder = registry.encoders.get(name)().eval()
    traced = script(encoder)
    for count, seconds in ((1, 4.3), (3, 1.3)):
        audio = 0.1 * torch.randn(count, int(seconds * encoder.sample_rate))
        with torch.no_grad():
            torch.testing.assert_close(traced(audio), encoder(audio), rtol=0, atol=1e-4)


def test_what_a_trace_would_fix_is_refused() -> None:
    class Fixed(registry.encoders.get("mfcc_chroma")):  # type: ignore[misc]
        def body(self, features: torch.Tensor) -> torch.Tensor:
            return super().body(features) * (1.0 if len(features) == 2 else 2.0)

    class Branching(registry.encoders.get("mfcc_chroma")):  # type: ignore[misc]
        def body(self, features: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not this one")

    for kind, told in ((Fixed, "other frames"), (Branching, "not this one")):
        with pytest.raises(UserError, match=told):
            script(kind())
