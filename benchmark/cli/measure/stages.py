"""How fast each stage is, measured in one run: only the ratios within a run mean anything on a noisy machine."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmark.audio.resident import resident
from benchmark.audio.stretch import pitch_shift
from benchmark.audio.waveforms import Waveforms
from benchmark.modules import Crops, Strategy
from benchmark.pretraining.budget import Precision, PretrainConfig, fastest
from benchmark.pretraining.crops import CropStream, to_batch
from benchmark.pretraining.train import Pretraining, fit
from benchmark.probing.embed import BATCH, embed
from benchmark.probing.evaluate import BOOTSTRAP_DRAWS
from benchmark.probing.probe import bench_probe
from benchmark.registry import encoders, strategies
from benchmark.scheduler.executors.slots import ALLOCATOR

STEPS, ROUNDS, SAMPLE_RATE = 10, 3, 16_000


def _config(device: str) -> PretrainConfig:
    """As `smoke` trains on a CPU, and `full` on a GPU, which a few small steps would say nothing of."""
    batch, steps = (256, 10 * STEPS) if device.startswith("cuda") else (64, STEPS)
    return PretrainConfig(crops=2 * batch * steps, batch_size=batch)


def measure(device: str, threads: int) -> dict[str, float]:
    """Crops per second of each stage of SimCLR on `cnn_small`, 3 s crops; the probe's seconds, and the leaderboard's.

    Stages are measured in turn, several rounds, and the best round of each is kept. Bare step: front end, forward,
    backward and optimizer on a batch already on the device. Loop: slicing, augmentation and Lightning around it. Loops
    side by side: one process with one thread on each core, as `run` has them. Forward: the encoder on 8 s of audio
    that is on the device; embedding: the same from the store to the table. Both steps are in the precision that the
    processor is fastest in, besides which the bare step is shown in float32. All of it in a process like a worker's.
    """
    os.environ.update(ALLOCATOR | os.environ)  # for processes to come
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measure, device, threads).result()


def _measure(device: str, threads: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        waves = noise_store(Path(folder), 2 * _config(device).batch_size)
        stages = _stages(waves, device)
        best: dict[str, float] = dict.fromkeys(stages, 0.0)
        for _ in range(ROUNDS):
            for name, stage in stages.items():
                best[name] = max(best[name], stage())
    figures = {f"{name}_crops_per_second": round(rate, 1) for name, rate in best.items()}
    if device == "cpu":
        figures["training_loops_side_by_side_crops_per_second"] = round(
            max(loops_side_by_side() for _ in range(ROUNDS)), 1
        )
    figures["loop_over_bare_step"] = round(best["training_loop"] / best["bare_step"], 3)
    figures["bare_step_over_float32"] = round(best["bare_step"] / best["bare_step_float32"], 3)
    figures["embedding_over_forward"] = round(best["embedding"] / best["forward"], 3)
    figures["pitch_shift_seconds_per_1000_crops"] = round(1000 / best["pitch_shift"], 2)
    torch.set_num_threads(1)
    figures["probe_seconds_5000x512"] = round(min(bench_probe(device=device) for _ in range(2)), 3)
    figures["report_seconds_20x25x3x5"] = round(report_seconds(), 1)
    return figures


def report_seconds(strategies: int = 20, tasks: int = 25, seeds: int = 5) -> float:
    """Seconds to gather and write the page of a grid of noise: three fractions, nine label draws, bootstrap draws."""
    from benchmark.leaderboard.page import html as page
    from benchmark.leaderboard.page import report

    rng, resamples = np.random.default_rng(0), {0.01: 5, 0.1: 3, 1.0: 1}
    names = [f"strategy_{i}" for i in range(strategies)], [f"task_{i}" for i in range(tasks)]
    runs = [(fraction, draw) for fraction, draws in resamples.items() for draw in range(draws)]
    rows = [
        {"strategy": name, "task": task, "fraction": fraction, "resample": draw, "seed": seed}
        for name, task, (fraction, draw), seed in itertools.product(*names, runs, range(seeds))
    ]
    scores = pd.DataFrame(rows).assign(encoder="cnn_small", pretrain_corpus="noise", probe="linear", metric="accuracy")
    scores["value"] = rng.normal(0.5, 0.05, len(scores))
    draws = rng.normal(scores["value"], 0.03, (BOOTSTRAP_DRAWS, len(scores))).T
    record = {
        "strategies": {name: {"title": name, "seeds": seeds} for name in names[0]},
        "tasks": {
            name: {"title": name, "metric": "accuracy", "corpus": "noise", "level": "pitch"} for name in names[1]
        },
        "fractions": list(resamples),
        "probes": ["linear"],
        "resamples": list(resamples.values()),
    }
    told = scores.assign(corpus="noise", split_hash="noise", test_stderr=0.03, n_train=500, n_val=100, n_test=200)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        told.to_parquet(folder / "scores.parquet")
        scores.assign(draws=list(draws), groups=150).to_parquet(folder / "draws.parquet")
        (folder / "run.json").write_text(json.dumps(record))
        start = time.perf_counter()
        page.write(folder, report.gather(folder))
        return time.perf_counter() - start


def table(figures: dict[str, float]) -> str:
    """The figures as lines."""
    return "\n".join(f"{name:<36} {value:>12,.3f}" for name, value in figures.items())


def noise_store(folder: Path, tracks: int = 200, seconds: int = 8) -> Waveforms:
    """A corpus of noise."""
    n = seconds * SAMPLE_RATE
    samples = np.random.default_rng(0).integers(-8000, 8000, tracks * n, dtype=np.int16)
    np.save(folder / "mix.npy", samples)
    names = [str(track) for track in range(tracks)]
    index = pd.DataFrame({"id": names, "split": "train", "offset": np.arange(tracks) * n, "length": n})
    index.to_parquet(folder / "tracks.parquet")
    return Waveforms.open(folder, SAMPLE_RATE)


def _stages(waves: Waveforms, device: str) -> dict[str, Callable[[], float]]:
    cls = strategies.get("simclr")
    strategy = cls(encoders.get("cnn_small")(), cls.Config()).to(device)
    stream = CropStream(resident(waves, device), Crops(), _config(device), seed=0)
    batch = to_batch({name: x.to(device) for name, x in stream.step(0).items()})
    heard = stream.batch * stream.count

    def rate(step: Callable[[int], object], steps: int) -> float:
        step(0)
        _wait(device)
        started = time.perf_counter()
        for t in range(steps):
            step(t)
        _wait(device)
        return heard * steps / (time.perf_counter() - started)

    def views(t: int) -> object:
        return strategy.views(batch, torch.Generator(device).manual_seed(t))

    def shifted(t: int) -> object:
        return pitch_shift(batch.crops[:, 0], -700, 700, SAMPLE_RATE, torch.Generator(device).manual_seed(t))

    return {
        "waveform_store": lambda: rate(stream.step, 10 * STEPS),
        "augmentation_and_features": lambda: rate(views, STEPS),
        "bare_step": lambda: rate(_bare_step(strategy, batch.crops, device, fastest()), STEPS),
        "bare_step_float32": lambda: rate(_bare_step(strategy, batch.crops, device, "32-true"), STEPS),
        "training_loop": lambda: loop_rate(waves, device),
        "pitch_shift": lambda: rate(shifted, 1) / 2,
        "forward": lambda: _embedding(waves, device, stored=False),
        "embedding": lambda: _embedding(waves, device, stored=True),
    }


def _embedding(waves: Waveforms, device: str, stored: bool) -> float:
    """Crops of 3 s per second that are embedded, from the store to the table, or from the device's memory to it."""
    encoder, length = encoders.get("cnn_small")().to(device).eval(), int(waves.tracks["length"].iloc[0])
    count = len(waves.tracks)
    crops = count * length / SAMPLE_RATE / 3
    batches = np.array_split(np.arange(count), -(-count // BATCH))
    audio = torch.randn(BATCH, length, device=device)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        started = time.perf_counter()
        if stored:
            embed(encoder, waves, {"clips": Path(folder)}, device)
        else:
            for rows in batches:
                encoder(audio[: len(rows)])
        _wait(device)
        return crops / (time.perf_counter() - started)


def loops_side_by_side(options: Mapping[str, Any] = MappingProxyType({})) -> float:
    """Crops per second of one loop on each core, together."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return sum(pool.map(_own_loop, [dict(options)] * cores))


def _own_loop(options: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return loop_rate(noise_store(Path(folder)), "cpu", options)


def _bare_step(strategy: Strategy, crops: torch.Tensor, device: str, precision: Precision) -> Callable[[int], object]:
    optimizer = torch.optim.AdamW(strategy.parameters(), lr=1e-3, fused=True)
    waveform = crops.transpose(0, 1).flatten(0, 1)

    def step(_: int) -> None:
        a, b = strategy.encoder.features(waveform).chunk(2)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = strategy.loss(strategy.embed({"a": a, "b": b}))["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def loop_rate(waves: Waveforms, device: str, options: Mapping[str, Any] = MappingProxyType({})) -> float:
    """Crops per second of the whole loop as `run` runs it; Lightning's own start-up is left out with the first step."""
    cls = strategies.get("simclr")
    strategy = cls(encoders.get("cnn_small")(), cls.Config(**options))
    config = _config(device)
    stream = CropStream(resident(waves, device), Crops(), config, seed=0)
    module = _Timed(strategy, config, 0, stream.steps)
    fit(module, stream, device)
    _wait(device)
    return stream.batch * stream.count * (stream.steps - 1) / (time.perf_counter() - module.started)


class _Timed(Pretraining):
    started = 0.0

    def on_train_batch_end(self, *args: object) -> None:
        super().on_train_batch_end(*args)
        if not self.started:
            self.started = time.perf_counter()


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
