"""What a grid becomes: which jobs share what, and what is refused before anything runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid, load, names, narrow
from benchmark.scheduler.plan import plan, rows

GRID = {
    "name": "toy",
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": {"simclr": {}},
    "encoders": ["cnn_small"],
    "tasks": ["instrument", "key"],
    "fractions": {0.1: 3, 1.0: 1},
    "probes": ["linear"],
    "seeds": [0, 1],
    "pretrain": {"crops": 640},
}


def grid(**changes: Any) -> Grid:
    return Grid.model_validate({**GRID, **changes})


def kinds(planned: Grid) -> Counter[str]:
    return Counter(job.kind for job in plan(planned).values())


@pytest.mark.parametrize("name", names())
def test_every_grid_of_the_package_plans(name: str) -> None:
    jobs = plan(load(name))
    assert any(job.kind in ("probe", "supervised") for job in jobs.values())


def test_a_plan_is_a_pure_function() -> None:
    assert list(plan(grid())) == list(plan(grid()))


def test_variants_are_rows_and_equal_ones_share_a_checkpoint() -> None:
    one = kinds(grid())
    variants = grid(
        strategies={
            "simclr": {},
            "again": {"strategy": "simclr"},
            "apart": {"strategy": "simclr", "positives": "disjoint"},
        }
    )
    three = kinds(variants)
    assert one["pretrain"] == 2, "one per seed"
    assert three["pretrain"] == three["embed"] == 4
    assert three["probe"] == 3 * one["probe"]
    assert {job.spec["strategy"] for job in plan(variants).values() if job.kind == "probe"} == {
        "simclr",
        "again",
        "apart",
    }


def test_supervised_trains_on_every_subset() -> None:
    assert kinds(grid(strategies={"supervised": {}}))["supervised"] == 2 * 2 * (3 + 1)
    assert "pretrain" not in kinds(grid(strategies={"supervised": {}}))


def test_stems_are_part_of_the_key_only_where_they_are_heard() -> None:
    def joined(planned: Grid) -> list[str]:
        return [key for key, job in plan(planned).items() if job.kind == "waveforms"]

    alone, beside = grid(), grid(strategies={"simclr": {}, "multi_source": {}})
    assert len(joined(alone)) == 1
    assert joined(grid(strategies={"byol": {}})) == joined(alone)
    assert len(joined(beside)) == 2
    assert plan(alone).keys() <= plan(beside).keys(), "who listens to no stem keeps all that it had"
    heard = {job.name: job.needs for job in plan(beside).values() if job.kind == "pretrain"}
    assert heard["pretrain simclr cnn_small seed 0"] == tuple(joined(alone))
    assert heard["pretrain multi_source cnn_small seed 0"] != tuple(joined(alone))


def test_a_budget_scales_pre_training() -> None:
    assert narrow(grid(), [], [], budget=0.1).pretrain.crops == 64


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": [0, 0]}, "0 is listed twice"),
        ({"seeds": [-1]}, "not negative"),
        ({"probes": ["linear", "linear"]}, "listed twice"),
        ({"fractions": {}}, "fractions"),
        ({"strategies": {"a/b": {"strategy": "simclr"}}}, "'a/b': a name is"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        grid(**changes)


def test_labels_are_heard_only_where_shares_are_positive() -> None:
    def tags(**options: Any) -> tuple[str, ...]:
        row = rows(grid(strategies={"semisupcon": options}))[0]
        return row.cls.crops(row.config).tags

    assert tags() == ("family", "mode", "metre")
    assert tags(leave_out=["mode"]) == ("family", "metre")
    assert tags(label_share=0) == tags(batch_share=0) == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"strategies": {"mae": {}}, "encoders": ["sample_cnn"]}, "mae cannot train sample_cnn.* offers mel"),
        ({"strategies": {"multi_source": {"sources": ["kazoo"]}}}, "nobody makes the stems kazoo"),
        (
            {"strategies": {"multi_source": {"sources": ["harmonic", "vocals"]}}},
            "nobody makes the stems harmonic, vocals",
        ),
        ({"strategies": {"x": {"strategy": "simclr", "temprature": 1}}}, r"strategies\.x\.temprature"),
        ({"strategies": {"simclr": {"negatives": "within"}}}, "positives 'self' or 'disjoint'"),
        ({"size": "hug"}, "hug"),
        ({"encoders": ["mfcc_chroma"]}, "simclr cannot train mfcc_chroma: there is nothing to train"),
        ({"strategies": {"simclr": {"positives": "self", "preset": "crop_only"}}}, "makes equal views"),
        ({"strategies": {"simclr": {"temperature": 0}}}, r"strategies\.simclr\.temperature"),
    ],
)
def test_what_cannot_work_is_refused_while_planning(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        plan(grid(**changes))


def test_a_frame_level_task_joins_without_touching_the_others() -> None:
    before, after = plan(grid()), plan(grid(tasks=["instrument", "key", "beat"]))
    assert before.keys() <= after.keys()
    assert Counter(job.kind for key, job in after.items() if key not in before) == {"embed": 2, "probe": 2}


def test_demucs_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = grid(strategies={"multi_source": {"sources": ["vocals"]}})
    monkeypatch.setattr("benchmark.audio.separate.separator_version", lambda name: "")
    with pytest.raises(UserError, match=r"pip install 'mir-pretext\[separate\]'"):
        plan(wanted)


def test_stems_are_the_corpus_own_or_separated() -> None:
    def shards(*sources: str) -> list[Any]:
        planned = plan(grid(strategies={"multi_source": {"sources": list(sources)}}))
        return [job.spec for job in planned.values() if job.kind == "shard" and job.spec["stems"]]

    assert all("separator" not in spec for spec in shards("drums", "lead"))
    assert all(spec["separator"][0] == "hpss" for spec in shards("harmonic"))


def test_a_batch_that_devices_cannot_share_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="batch_size 32 cannot be shared by 3 devices"):
        grid(pretrain={"crops": 640, "batch_size": 32, "devices": 3})


def test_finetuning_starts_from_the_same_checkpoints() -> None:
    probed, tuned = plan(grid()), plan(grid(protocol="finetune"))
    checkpoints = {key for key, job in probed.items() if job.kind == "pretrain"}
    assert checkpoints == {key for key, job in tuned.items() if job.kind == "pretrain"}
    trainings = [job for job in tuned.values() if job.kind == "supervised"]
    assert len(trainings) == 2 * 2 * (3 + 1), "seeds, tasks, subsets"
    assert all(checkpoints & set(job.needs) for job in trainings)
    assert not any(job.kind in ("embed", "probe") for job in tuned.values())
