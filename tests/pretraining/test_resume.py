"""A training that is cut off goes on to the very weights of one that is not, whatever cut it off."""

from __future__ import annotations

import copy
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.forked import fork_ranks, warm
from safetensors import safe_open
from tiny_training import STEPS, TRAINED, budget, build, memory_for, noise
from torch import Tensor
from torch.nn import functional as F

from benchmark import files
from benchmark.audio.waveforms import INDEX
from benchmark.modules import Strategy
from benchmark.pretraining import ranks
from benchmark.pretraining.checkpoint import FILE, Place, load, save
from benchmark.pretraining.ranks import on_ranks
from benchmark.pretraining.train import pretrain, price_clock
from benchmark.scheduler.jobs import run_job
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job
from strategies.simclr import SimCLR

CASES = [(name, "tiny", {}) for name in TRAINED] + [
    ("simclr", "cnn_small", {"optimizer": "lars"}),  # BatchNorm's statistics, channels last, momentum
    ("byol", "cnn_small", {}),
    ("vicreg", "tiny", {"precision": "bf16-mixed"}),
]


class CutOff(Exception):
    """What ends a training too early."""


def train(strategy: Strategy, folder: Path | None = None, **options: object) -> dict[str, Any]:
    return pretrain(strategy, noise(), budget(strategy, **options), 0, "cpu", Place(folder, 0.0) if folder else None)


def cut_off(strategy: Strategy, folder: Path, at: int, how: Any, **options: object) -> None:
    """Train, and have `how` called in the midst of step `at`."""
    strategy.views = interrupted(strategy.views, at, how)  # type: ignore[method-assign]
    train(strategy, folder, **options)


def interrupted(views: Any, at: int, how: Callable[[], None]) -> Any:
    """The method `views`, which calls `how` in step `at`."""
    steps = iter(range(at + 1))

    def watched(*args: Any) -> dict[str, Tensor]:
        if next(steps) == at:
            how()
        made: dict[str, Tensor] = views(*args)
        return made

    return watched


def stop() -> None:
    raise CutOff


def assert_same(found: Strategy, info: dict[str, Any], expected: Strategy, reference: dict[str, Any]) -> None:
    assert info["curve"] == reference["curve"]
    assert len(info["curve"]) == STEPS
    for key, x in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], x), key


@pytest.mark.parametrize(("name", "encoder", "options"), CASES)
def test_two_halves_are_the_whole(name: str, encoder: str, options: dict[str, Any], tmp_path: Path) -> None:
    whole = build(name, encoder)
    start = copy.deepcopy(whole.encoder.state_dict())
    reference = train(whole, **options)
    assert any(not torch.equal(x, start[key]) for key, x in whole.encoder.state_dict().items()), "nothing was trained"
    with pytest.raises(CutOff):
        cut_off(build(name, encoder), tmp_path, 3, stop, **options)
    resumed = build(name, encoder)
    info = train(resumed, tmp_path, **options)
    assert (reference["resumed"], info["resumed"]) == (0, 1)
    assert_same(resumed, info, whole, reference)


class Dropping(SimCLR):
    """Draws from torch's own generator, as a plugin with dropout does."""

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: F.dropout(x, 0.3) for name, x in super().embed(views).items()}


def dropping() -> Strategy:
    torch.manual_seed(0)
    return Dropping(build("simclr").encoder, Dropping.Config())


def test_dropout_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = dropping()
    reference = train(whole)
    with pytest.raises(CutOff):
        cut_off(dropping(), tmp_path, 3, stop)
    resumed = dropping()
    torch.manual_seed(17)
    assert_same(resumed, train(resumed, tmp_path), whole, reference)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _train_and_die(folder: Path, at: int, while_writing: bool) -> None:
    torch.set_num_threads(1)
    if while_writing:
        Path.replace = lambda *_: kill()  # type: ignore[assignment, method-assign]
    cut_off(build("dino"), folder, at, kill)


def die(folder: Path, at: int, while_writing: bool = False) -> None:
    """Train in a process of its own that ends by SIGKILL."""
    process = warm().Process(target=_train_and_die, args=(folder, at, while_writing))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL


def test_killed_in_a_step_and_then_while_writing(tmp_path: Path) -> None:
    """A kill while a checkpoint is written leaves its draft, which the next one overwrites, and the last checkpoint."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the other processes
    whole = build("dino")
    reference = train(whole)
    die(tmp_path, at=2)
    last = (tmp_path / FILE).read_bytes()
    die(tmp_path, at=9, while_writing=True)
    assert (tmp_path / FILE).read_bytes() == last
    assert [path.name for path in tmp_path.iterdir() if path.name != FILE] == [f"{FILE}.tmp"]
    resumed = build("dino")
    info = train(resumed, tmp_path)
    torch.set_num_threads(threads)
    assert info["resumed"] == 1, "the process that died while writing left no checkpoint of its own"
    assert_same(resumed, info, whole, reference)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A folder with the checkpoint of a training that was cut off."""
    with pytest.raises(CutOff):
        cut_off(build("simclr"), tmp_path, 3, stop)
    return tmp_path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit])
def test_a_damaged_checkpoint_is_passed_over(damage: Any, half: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(half / FILE)
    whole, again = build("simclr"), build("simclr")
    reference = train(whole)
    with caplog.at_level(logging.WARNING):
        info = train(again, half)
    assert f"{half / FILE} cannot be used, training starts anew" in caplog.text
    assert info["resumed"] == 0
    assert_same(again, info, whole, reference)


@pytest.mark.parametrize(
    ("name", "options"), [("cola", {}), ("simclr", {"optimizer": "lars"}), ("simclr", {"batch_size": 4})]
)
def test_a_checkpoint_of_another_training_is_passed_over(
    name: str, options: dict[str, Any], half: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        info = train(build(name), half, **options)
    assert "it is of another training" in caplog.text
    assert info["resumed"] == 0


def test_a_checkpoint_that_cannot_be_read_at_the_moment_is_no_reason_to_begin_anew(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0,))
    (half / FILE).rename(half / "kept")
    (half / FILE).symlink_to("/proc/self/mem")  # its first page is an input/output error
    with pytest.raises(OSError, match=f"Input/output error: .*{FILE}"):
        train(build("simclr"), half)
    (half / "kept").rename(half / FILE)
    assert train(build("simclr"), half)["resumed"] == 1


def test_seconds_add_up(half: Path) -> None:
    with safe_open(half / FILE, "pt") as file:
        identity = file.metadata()["identity"]
    checkpoint = load(half, identity)
    assert checkpoint is not None
    assert checkpoint.step == len(checkpoint.tensors["curve"]) == 3
    assert checkpoint.seconds > 0
    save(replace(checkpoint, seconds=1000.0), half, identity)
    assert train(build("simclr"), half)["seconds"] > 1000


def test_waiting_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that others use as well makes a training long, not dear; else there is the clock on the wall."""
    threads = torch.get_num_threads()
    strategy, pause = build("simclr"), 0.2
    views = strategy.views

    def late(*args: Any) -> Any:
        time.sleep(pause)
        return views(*args)

    monkeypatch.setattr(strategy, "views", late)
    try:
        torch.set_num_threads(1)
        config = budget(strategy)
        begun = time.perf_counter()
        info = pretrain(strategy, noise(), config, 0, "cpu")
        took = time.perf_counter() - begun
        assert took - info["seconds"] > 0.9 * pause * info["steps"]
        torch.set_num_threads(2)
        assert (price_clock("cpu"), price_clock("cuda:0")) == (time.perf_counter, time.perf_counter)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def waveforms_key(tmp_path: Path) -> str:
    """Noise in the data folder's store, as a corpus."""
    waves, key = noise(), content_key({"noise": 0})
    with Store(tmp_path / "data").writing("waveforms", key, {"noise": 0}) as draft:
        np.save(draft.path / "mix.npy", waves.stems["mix"])
        waves.tracks.to_parquet(draft.path / INDEX, index=False)
    return key


def _job(needs: str) -> Job:
    strategy = build("simclr")
    options = {"strategy": "simclr", "options": strategy.config.model_dump(mode="json")}
    whole = {**options, "encoder": "cnn_small", "corpus": "rendered_scores", "seed": 0}
    spec = {**whole, "budget": budget(strategy).model_dump()}
    return Job(content_key(spec), "pretrain", "pretrain simclr", spec, (needs,))


def _run_and_die(job: Job, data: Path, out: Path) -> None:
    os.environ["MIR_PRETEXT_CHECKPOINT_SECONDS"] = "0"
    SimCLR.views = interrupted(SimCLR.views, 3, kill)  # type: ignore[method-assign]
    run_job(job, data, out)


def test_a_killed_job_is_run_again(waveforms_key: str, tmp_path: Path) -> None:
    """The artefact has the bytes of an undisturbed one, the record says what happened, and nothing is left over."""
    job, data = _job(waveforms_key), tmp_path / "data"
    run_job(job, data, tmp_path / "whole")
    process = warm().Process(target=_run_and_die, args=(job, data, tmp_path / "out"))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL
    scratch = tmp_path / "out" / "scratch" / "pretrain" / job.key
    assert [path.name for path in scratch.iterdir()] == [FILE]
    run_job(job, data, tmp_path / "out")
    assert not scratch.exists()
    whole, resumed = (Store(tmp_path / name) for name in ("whole", "out"))
    weights = [store.folder("pretrain", job.key) / "encoder.safetensors" for store in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert [store.manifest("pretrain", job.key)["info"]["resumed"] for store in (whole, resumed)] == [0, 1]


def _on_each_rank(folder: Path, device: str) -> None:
    """Whole, and in two halves, on the same ranks; then without memory. What the last one says is left in a file."""
    torch.set_num_threads(1)
    whole = build("byol")
    reference = train(whole)
    with pytest.raises(CutOff):
        cut_off(build("byol"), folder, 3, stop)
    torch.distributed.barrier()
    resumed = build("byol")
    info = train(resumed, folder)
    assert info["resumed"] == 1
    assert_same(resumed, info, whole, reference)
    with pytest.raises(torch.OutOfMemoryError) as caught:
        train(memory_for(1, build("simclr")))
    (folder / f"{torch.distributed.get_rank()}.note").write_text(caught.value.__notes__[0])


def test_ranks_go_on_together_but_do_not_halve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "spawn", fork_ranks)
    on_ranks(2, "cpu", tmp_path / "meeting", _on_each_rank, tmp_path)
    notes = {(tmp_path / f"{rank}.note").read_text() for rank in (0, 1)}
    assert notes == {"devices that share a batch do not halve it further: take more, or a smaller batch_size"}
