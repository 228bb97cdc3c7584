"""Whose weights are a score's? The plan of a grid is the oracle: seeds, budgets, variants, snapshots, fine-tuning."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.interfaces import UserError
from benchmark.pretrained.choose import choose
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.plan import plan
from benchmark.scheduler.planning.probes import embedding_keys
from benchmark.store.artefacts import Store
from benchmark.store.job import Job

GRID = {
    "name": "many",
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": {
        "simclr": {},
        "hot": {"strategy": "simclr", "temperature": 0.5},
        "slow": {"strategy": "simclr", "pretrain": {"learning_rate": 0.0001}},
        "both": {"strategy": "byol", "encoders": ["cnn_small", "vit"]},
        "random": {},
        "supervised": {},
    },
    "encoders": ["cnn_small"],
    "tasks": ["key", "beat"],
    "fractions": {"1.0": 1},
    "probes": ["linear"],
    "seeds": [1, 0],
    "pretrain": {"crops": [20_000, 40_000, 80_000], "schedule": "wsd", "batch_size": 32, "warmup_crops": 1000},
}
ONE_BUDGET: dict[str, Any] = {**GRID, "pretrain": {"crops": 40_000, "batch_size": 32}}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Job]:
    return plan(Grid.model_validate(GRID))


def trained(jobs: dict[str, Job], probe: Job) -> Job:
    """What a probe's embeddings are of, by the plan."""
    embedded = jobs[probe.spec["needs"][0]]
    return jobs[embedded.spec["needs"][0]]


def of_kind(jobs: dict[str, Job], *kinds: str) -> list[Job]:
    return [job for job in jobs.values() if job.kind in kinds]


@pytest.mark.parametrize("more", [GRID, {**ONE_BUDGET, "snapshots": {"at": [0.25, 0.5]}}], ids=["budgets", "snapshots"])
def test_a_probe_s_embeddings_name_its_checkpoint_and_no_other(more: dict[str, Any]) -> None:
    jobs = plan(Grid.model_validate(more))
    probes, checkpoints = of_kind(jobs, "probe"), of_kind(jobs, "pretrain")
    assert len(checkpoints) == 2 * (5 * (3 if more is GRID else 1) + 1)
    for probe in probes:
        needed = probe.spec["needs"][0]
        found = [job for job in checkpoints if needed in embedding_keys(job.key, job.spec["strategy"], probe.spec)]
        true = trained(jobs, probe)
        assert found == ([true] if true.kind == "pretrain" else [])


def left_by(jobs: dict[str, Job], root: Path) -> Path:
    """A folder with what a run leaves: checkpoints, scored artefacts, and the table."""
    store, rows = Store(root), []
    for job in of_kind(jobs, "pretrain", "probe", "supervised"):
        with store.writing(job.kind, job.key, job.spec) as draft:
            (draft.path / "encoder.safetensors").write_text(job.name)
        if job.kind != "pretrain":
            rows.append(scored(jobs, job))
    pd.DataFrame(rows).to_parquet(store.root / "scores.parquet")
    return store.root


@pytest.fixture(scope="module")
def results(jobs: dict[str, Job], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return left_by(jobs, tmp_path_factory.mktemp("many") / "out")


def scored(jobs: dict[str, Job], job: Job) -> dict[str, Any]:
    made = trained(jobs, job) if job.kind == "probe" else None
    share, crops = job.spec.get("share", 1.0), math.nan
    if made and "budget" in made.spec:
        crops = share * (made.spec["budget"]["crops"] - 16)  # a training hears a part of a step less
        share *= made.spec["budget"]["crops"] / 40_000
    names = ("strategy", "encoder", "pretrain_corpus", "task", "corpus", "seed")
    return {
        **{name: job.spec[name] for name in names},
        **{"split_hash": "s", "fraction": 1.0, "resample": 0, "probe": "linear", "metric": "m", "value": 0.5},
        **{"n_train": 9, "n_test": 9, "test_stderr": 0.1, "key": job.key, "crops": crops, "share": share},
    }


@pytest.mark.parametrize("row", ["simclr", "hot", "slow"])
@pytest.mark.parametrize("seed", [0, 1, None])
@pytest.mark.parametrize("crops", [20_000, 40_000, 80_000, None])
def test_row_seed_and_budget_are_those_asked_for(
    jobs: dict[str, Job], results: Path, row: str, seed: int | None, crops: float | None
) -> None:
    chosen = choose(results, row, seed=seed, crops=crops)
    made = jobs[chosen.key]
    assert (made.spec["seed"], made.spec["budget"]["crops"]) == (seed or 0, crops or 40_000)
    assert (chosen.seed, chosen.crops, chosen.seeds) == (seed or 0, crops or 40_000, [0, 1])
    assert made.spec["options"]["temperature"] == (0.5 if row == "hot" else 0.1)
    assert (made.spec["budget"]["learning_rate"] == 0.0001) == (row == "slow")


def test_what_is_not_one_thing_is_asked_back(jobs: dict[str, Job], results: Path) -> None:
    with pytest.raises(UserError, match=r"both has several encoder entries \(cnn_small, vit\); say which"):
        choose(results, "both")
    assert jobs[choose(results, "both", "vit").key].spec["encoder"] == "vit"
    with pytest.raises(UserError, match="--crops 30000: simclr has 20000, 40000, 80000"):
        choose(results, "simclr", crops=30_000)
    with pytest.raises(UserError, match="random has heard none"):
        choose(results, "random", crops=40_000)
    with pytest.raises(UserError, match="trains one for each task"):
        choose(results, "supervised")
    assert jobs[choose(results, "random").key].spec["strategy"] == "random"


def test_snapshots_on_the_way_are_no_budgets(tmp_path: Path) -> None:
    jobs = plan(Grid.model_validate({**ONE_BUDGET, "snapshots": {"at": [0.5]}}))
    folder = left_by(jobs, tmp_path / "out")
    assert jobs[choose(folder, "hot").key].spec["budget"]["crops"] == 40_000
    with pytest.raises(UserError, match="hot has 40000"):
        choose(folder, "hot", crops=20_000)


def test_a_budget_that_one_seed_has_is_of_one_seed(tmp_path: Path) -> None:
    """The card says so: of three seeds two have stopped before."""
    crops = {20_000: 2, 40_000: 1}
    folder = left_by(plan(Grid.model_validate({**GRID, "pretrain": {**GRID["pretrain"], "crops": crops}})), tmp_path)
    assert choose(folder, "hot", crops=20_000).seeds == [0, 1]
    assert choose(folder, "hot", seed=1, crops=40_000).seeds == [1]


def test_of_fine_tuned_rows_it_is_what_they_started_from(tmp_path: Path) -> None:
    jobs = plan(Grid.model_validate({**ONE_BUDGET, "protocol": "finetune"}))
    folder = left_by(jobs, tmp_path / "out")
    chosen = choose(folder, "hot", seed=1)
    assert chosen.tuned
    assert (jobs[chosen.key].spec["seed"], jobs[chosen.key].spec["options"]["temperature"]) == (1, 0.5)
    with pytest.raises(UserError, match="trains one for each task"):
        choose(folder, "supervised")
