"""Costs of jobs, by earlier ones of known cost."""

import json

import pytest

from benchmark.interfaces import human
from benchmark.scheduler.estimate import Cost, Timings
from benchmark.store.job import Job


def job(kind, **spec):
    return Job("k", kind, "a job", spec)


def record(seconds, size=0, device="cpu"):
    return {"info": {"job_seconds": seconds, "device": device}, "files": {"a": {"bytes": size, "sha256": ""}}}


def pretraining(strategy, crops):
    return job("pretrain", strategy=strategy, encoder="cnn_small", budget={"crops": crops})


def test_training_costs_by_the_crop_and_all_else_by_the_job(tmp_path):
    timings = Timings(tmp_path / "timings.json", "cpu")
    timings.add(pretraining("byol", 1000), record(10.0, 500))
    timings.add(pretraining("byol", 3000), record(50.0, 500))
    timings.add(job("probe", task="key"), record(2.0))
    timings.add(job("probe", task="key"), record(4.0))
    timings.save()
    read = Timings(tmp_path / "timings.json", "cpu")
    assert read.of(pretraining("byol", 2000)) == Cost(30.0, 500.0)
    assert read.of(job("probe", task="key")).seconds == 3.0


def test_a_trial_of_a_few_crops_does_not_make_trainings_dear(tmp_path):
    """What it took was to begin and to end; at five seconds a crop 125,000 of them would be a week."""
    timings = Timings(tmp_path / "timings.json", "cpu")
    timings.add(pretraining("byol", 1), record(5.0))
    assert timings.of(pretraining("byol", 1)).seconds == 5.0
    assert timings.of(pretraining("byol", 125_000)).seconds < 1000


def test_a_stranger_costs_what_its_kind_does_and_another_device_tells_nothing(tmp_path):
    timings = Timings(tmp_path / "timings.json", "cpu")
    timings.add(job("probe", task="key"), record(2.0))
    timings.add(job("probe", task="beat"), record(6.0))
    assert timings.of(job("probe", task="chord")).seconds == 4.0
    assert timings.of(job("embed")) is None
    assert timings.total([job("probe", task="beat"), job("probe", task="key"), job("embed")]) == (Cost(8.0, 0.0), 1)
    assert Timings(tmp_path / "timings.json", "cuda").of(job("probe", task="key")) is None


def test_what_is_written_is_the_same_on_every_device(tmp_path):
    """A GPU's first run knows from a CPU's how much room it needs."""
    timings = Timings(tmp_path / "timings.json", "cpu")
    timings.add(job("embed", waveforms="w", encoder="e", reads="frames"), record(5.0, 461))
    timings.add(job("embed", waveforms="w", encoder="e", reads="clips"), record(0.0, 9))
    timings.save()
    there = Timings(tmp_path / "timings.json", "cuda")
    wanted = [job("embed", waveforms="w", encoder="e", reads=reads) for reads in ("frames", "clips", "frames")]
    assert there.total(wanted) == (Cost(0.0, 931.0), 3)
    timings._sums = {name: sums for name, sums in timings._sums.items() if name.startswith("cpu")}
    assert timings.bytes(wanted[0]) == 461, "a file of before"


def test_a_checkpoint_is_as_large_after_a_long_training_and_an_export_tells_nothing_of_one(tmp_path):
    timings = Timings(tmp_path / "timings.json", "cpu")
    timings.add(job("pretrain", strategy="random", encoder="cnn_small"), record(0.5, 400))
    assert timings.of(pretraining("byol", 1000)) is None
    timings.add(pretraining("byol", 1000), record(10.0, 400))
    assert timings.of(pretraining("byol", 10**6)) == Cost(10000.0, 400.0)
    assert timings.of(pretraining("simclr", 2000)) == Cost(20.0, 400.0)
    assert timings.seconds(job("embed")) is None


@pytest.mark.parametrize(
    "rubbish",
    [
        [1],
        "text",
        {"cpu probe": [0, 0, 0, 0]},
        {"cpu probe": [1, 1, None, 1]},
        {"cpu probe": [1, 1, 1]},
        {"cpu probe": [float("nan"), 1, 1, 1]},
        {"cpu probe": "1234"},
    ],
)
def test_a_file_of_rubbish_tells_nothing_and_is_made_anew(rubbish, tmp_path):
    path, probe = tmp_path / "timings.json", job("probe", task="key")
    path.write_text(json.dumps(rubbish))
    timings = Timings(path, "cpu")
    assert (timings.of(probe), timings.bytes(probe)) == (None, 0.0)
    timings.add(probe, record(2.0))
    timings.save()
    assert Timings(path, "cpu").seconds(probe) == 2.0


def test_what_is_carried_costs_nothing_beside_its_carrier_and_else_what_it_takes_alone(tmp_path):
    """A snapshot that its training leaves is free; later it costs its share of one, as no carried one has told."""
    timings = Timings(tmp_path / "timings.json", "cpu")
    training = Job("t", "pretrain", "", pretraining("byol", 10_000).spec)
    half = Job("h", "snapshot", "", {**training.spec, "share": 0.5}, rides=("t",))
    fourth = Job("f", "snapshot", "", {**training.spec, "share": 0.25}, rides=("t", "h"))
    timings.add(training, record(40.0, 300))
    timings.add(half, record(0.0, 300))
    assert timings.total([training, half, fourth]) == (Cost(40.0, 900.0), 0)
    assert timings.total([half, fourth]) == (Cost(20.0, 600.0), 0)
    assert timings.total([fourth]) == (Cost(10.0, 300.0), 0)


def test_durations_read_well():
    assert [human(s) for s in (3.2, 89, 600, 7200)] == ["3 s", "89 s", "10 min", "2.0 h"]
