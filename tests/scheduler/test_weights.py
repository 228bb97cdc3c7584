"""Rows that start from exported weights: by what the weights are, wherever they lie; and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from benchmark import registry
from benchmark.encoders import exported as exports
from benchmark.encoders.exported import About
from benchmark.interfaces import UserError
from benchmark.pretrained.package import load
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import load as load_grid
from benchmark.scheduler.grid_files import narrow, starting_from
from benchmark.scheduler.jobs import _strategy
from benchmark.scheduler.planning.plan import plan
from benchmark.store.job import Job


def write_export(folder: Path, seed: int = 0, **changes: Any) -> Path:
    torch.manual_seed(seed)
    encoder = registry.encoders.get("cnn_small")()
    weights = save({name: x.contiguous() for name, x in encoder.state_dict().items()})
    about = About(
        encoder="cnn_small",
        encoder_version=encoder.info.version,
        sha256=hashlib.sha256(weights).hexdigest(),
        sample_rate=encoder.sample_rate,
        embedding_dim=encoder.embedding_dim,
        frame_rate=encoder.frame_rate,
        row="simclr",
        corpus="rendered_scores/standard",
        crops=500_000,
    )
    folder.mkdir(parents=True)
    (folder / "encoder.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(json.dumps(about.model_dump() | changes))
    return folder


def planned(rows: dict[str, Any]) -> dict[str, Job]:
    grid = {"name": "toy", "corpus": "rendered_scores", "size": "tiny", "strategies": rows, "encoders": ["cnn_small"]}
    grid |= {"tasks": ["key"], "fractions": {1.0: 1}, "probes": ["linear"], "seeds": [0, 1], "pretrain": {"crops": 640}}
    return plan(Grid.model_validate(grid))


def pretrainings(rows: dict[str, Any]) -> list[Job]:
    return [job for job in planned(rows).values() if job.kind == "pretrain"]


def frozen(folder: Path) -> dict[str, Any]:
    return {"mine": {"strategy": "pretrained", "weights": str(folder)}}


def test_a_frozen_row_is_one_import_whose_key_is_of_the_weights(tmp_path: Path) -> None:
    here, there = write_export(tmp_path / "a"), tmp_path / "deeper" / "b"
    shutil.copytree(here, there)
    other = write_export(tmp_path / "c", seed=1)
    (first,), (second,), (third,) = (pretrainings(frozen(folder)) for folder in (here, there, other))
    assert first.key == second.key != third.key
    assert first.name == "import mine cnn_small seed 0"
    made = _strategy(second.spec, 0).encoder.state_dict()
    assert all(torch.equal(x, made[name]) for name, x in load(here).encoder.state_dict().items())


def test_its_scores_are_of_what_the_weights_heard(tmp_path: Path) -> None:
    jobs = planned(frozen(write_export(tmp_path / "a"))).values()
    (probe,) = (job for job in jobs if job.kind == "probe")
    assert probe.spec["pretrain_corpus"] == "rendered_scores/standard"


def test_a_trained_row_starts_from_them_with_every_seed(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "a")
    found = pretrainings({"simclr": {"weights": str(folder)}})
    assert len(found) == 2
    weights = load(folder).encoder.state_dict()
    for job in found:
        made = _strategy(job.spec, job.spec["seed"]).encoder.state_dict()
        assert all(torch.equal(x, weights[name]) for name, x in made.items())
    assert {job.key for job in found}.isdisjoint(job.key for job in pretrainings({"simclr": {}}))


def test_rows_without_weights_keep_their_keys() -> None:
    """Of before there were any: a store of trainings stays of use."""
    (job, _) = pretrainings({"simclr": {}})
    assert not {"weights", "export"} & job.spec.keys()


def test_weights_that_were_exchanged_meanwhile_are_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "a")
    (job,) = pretrainings(frozen(folder))
    shutil.rmtree(folder)
    write_export(folder, seed=1)
    with pytest.raises(UserError, match="holds other weights than when this run was planned"):
        _strategy(job.spec, 0)


def test_what_ships_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (exports.shipped()["simclr_pitch_shift"] / exports.WEIGHTS).is_file()
    folder = write_export(tmp_path / "shipped" / "simclr")
    monkeypatch.setattr(exports, "files", lambda package: tmp_path)
    assert exports.shipped() == {"simclr": folder}
    assert load("simclr").about["row"] == "simclr"
    assert pretrainings({"mine": {"strategy": "pretrained", "weights": "simclr"}})[0].spec["export"] == str(folder)
    with pytest.raises(UserError, match="or one of simclr"):
        planned({"mine": {"strategy": "pretrained", "weights": "simclrr"}})


def test_what_cannot_be_is_refused_before_anything_runs(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "a")
    old = write_export(tmp_path / "old", encoder_version=1)
    for rows, says in (
        ({"pretrained": {}}, "has no weights of its own"),
        ({"mfcc": {"weights": str(folder)}}, "mfcc trains nothing"),
        ({"random": {"weights": str(folder)}}, "random trains nothing"),
        ({"simclr": {"weights": 3}}, "is no folder of an export"),
        ({"simclr": {"weights": str(tmp_path)}}, "lacks config.json"),
        ({"simclr": {"weights": str(folder), "encoders": ["vit"]}}, "starts from weights of cnn_small"),
        (frozen(folder) | {"mine": {**frozen(folder)["mine"], "encoders": ["cnn_small"]}}, "brings its own"),
        (frozen(old), "weights are for version 1 of cnn_small"),
    ):
        with pytest.raises(UserError, match=says):
            planned(rows)


def test_a_run_goes_on_from_them_where_rows_are_trained(tmp_path: Path) -> None:
    folder = str(write_export(tmp_path / "a"))
    grid = starting_from(load_grid("smoke"), folder)
    assert {name for name, options in grid.strategies.items() if "weights" in options} == {"simclr", "byol"}
    with pytest.raises(UserError, match="no row of smoke is trained"):
        starting_from(narrow(load_grid("smoke"), strategies=["mfcc", "random"]), folder)
