"""`bench --peers`: what people would use instead, on the same crops and the same features, in one run.

The papers' pipeline: crops are augmented one by one, by audiomentations, in the workers of a DataLoader, as in CLMR's
release, and the network takes a step on each batch. The papers' probe: scikit-learn's LogisticRegression for each
fraction, draw and L2.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from benchmark.audio.waveforms import Waveforms
from benchmark.cli.measure.stages import SAMPLE_RATE, loops_side_by_side, noise_store
from benchmark.interfaces import UserError
from benchmark.probing.features import Features
from benchmark.probing.fractions import draw_subsets
from benchmark.probing.probe import L2S, Targets, run_probe
from benchmark.registry import encoders, strategies

#: crops of 3 s: ours with and without what makes views slow
CHAINS: dict[str, dict[str, Any]] = {"pretext": {"preset": "pretext"}, "clmr": {"preset": "clmr"}}
#: the first batches are made before anybody waits for them
BATCH, STEPS, AHEAD = 64, 12, 6


def measure() -> dict[str, float]:
    """Crops per second of both pipelines on all cores, seconds of both probes, and our ratios to them.

    Raises:
        UserError: audiomentations is not installed.
    """
    try:
        import audiomentations  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError("bench --peers compares with audiomentations: pip install 'mir-pretext[peers]'") from error
    figures: dict[str, float] = {}
    for chain, options in CHAINS.items():
        ours, theirs = loops_side_by_side(options), _their_loop(chain)
        figures |= {
            f"{chain}_ours_crops_per_second": round(ours, 1),
            f"{chain}_peers_crops_per_second": round(theirs, 1),
        }
        figures[f"{chain}_ours_over_peers"] = round(ours / theirs, 1)
    ours, theirs = _probes()
    figures |= {"probe_ours_seconds": round(ours, 2), "probe_sklearn_seconds": round(theirs, 2)}
    figures["probe_sklearn_over_ours"] = round(theirs / ours, 1)
    return figures


class _Crops(Dataset[torch.Tensor]):
    """Two views of each track, (2, T) each."""

    def __init__(self, waves: Waveforms, chain: Callable[..., NDArray[np.float32]], count: int) -> None:
        self.waves, self.chain, self.count = waves, chain, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> torch.Tensor:
        rng, row = np.random.default_rng(i), np.array([i % len(self.waves.tracks)])
        starts = rng.integers(0, 5 * SAMPLE_RATE, (2, 1))
        crops = [self.waves.crops(row, start, 3 * SAMPLE_RATE)[0].astype(np.float32) / 32768 for start in starts]
        return torch.from_numpy(np.stack([self.chain(crop, sample_rate=SAMPLE_RATE) for crop in crops]))


def _their_chain(name: str) -> Any:
    """Steps, shares and ranges as in our preset of the name; of CLMR's without delay and reverb, in their favor."""
    import audiomentations as A

    passes = A.OneOf(
        [
            A.HighPassFilter(min_cutoff_freq=200, max_cutoff_freq=1200, p=1.0),
            A.LowPassFilter(min_cutoff_freq=2200, max_cutoff_freq=4000, p=1.0),
        ],
        p=0.4 if name == "pretext" else 0.8,
    )
    if name == "pretext":
        noise = A.AddGaussianSNR(min_snr_db=10, max_snr_db=40, p=0.5)
        return A.Compose([A.Gain(-6, 6, p=1.0), A.PolarityInversion(p=0.5), noise, passes])
    steps = [A.PolarityInversion(p=0.8), A.AddGaussianSNR(40, 80, p=0.01), A.Gain(-20, -1, p=0.3), passes]
    return A.Compose([*steps, A.PitchShift(-7, 7, p=0.6)])


def _their_loop(chain: str) -> float:
    """Crops per second of SimCLR on `cnn_small`, float32 as in the release, a worker per core for the crops."""
    cls = strategies.get("simclr")
    strategy = cls(encoders.get("cnn_small")(), cls.Config())
    optimizer = torch.optim.Adam(strategy.parameters(), lr=1e-3)
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = _Crops(noise_store(Path(folder)), _their_chain(chain), BATCH * (AHEAD + STEPS))
        batches = DataLoader(data, BATCH, num_workers=cores, multiprocessing_context="fork")
        started = time.perf_counter()
        for i, batch in enumerate(batches):
            started = time.perf_counter() if i <= AHEAD else started
            a, b = strategy.encoder.features(batch.transpose(0, 1).flatten(0, 1)).chunk(2)
            loss = strategy.loss(strategy.embed({"a": a, "b": b}))["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return 2 * BATCH * STEPS / (time.perf_counter() - started)


def _probes(n: int = 4000, dim: int = 192, classes: int = 8) -> tuple[float, float]:
    """Seconds for all fractions, draws and L2, as a task's probe has them: ours, and scikit-learn's on all cores."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=n)
    x = (rng.normal(size=(classes, dim))[labels] + 4 * rng.normal(size=(n, dim))).astype(np.float32)
    x = ((x / np.sqrt(np.arange(1, dim + 1))) @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]).astype(np.float32)
    splits = np.repeat(["train", "val", "test"], [n - n // 5 - n // 5, n // 5, n // 5])
    subsets = draw_subsets(labels, splits, {0.01: 5, 0.1: 3, 1.0: 1}, seed=0)
    test = np.flatnonzero(splits == "test")

    def accuracy(outputs: Any, tracks: NDArray[np.int64]) -> float:
        return float(np.mean(np.stack(outputs).argmax(1) == labels[tracks]))

    started = time.perf_counter()
    found = list(run_probe("linear", Features.of(x), Targets(labels, classes, "softmax"), subsets, test, accuracy))
    ours = time.perf_counter() - started
    started, theirs = time.perf_counter(), []
    for subset in subsets:
        mean, std = x[subset.train].mean(0), x[subset.train].std(0) + 1e-9
        z = (x - mean) / std
        fits = []
        for l2 in L2S:
            fit = LogisticRegression(C=1 / (l2 * len(subset.train)), max_iter=2000, tol=1e-4)
            fit.fit(z[subset.train], labels[subset.train])
            fits.append((fit.score(z[subset.val], labels[subset.val]), fit))
        theirs.append(max(fits, key=lambda pair: pair[0])[1].score(z[test], labels[test]))
    seconds = time.perf_counter() - started
    gap = abs(np.mean([accuracy(result.outputs, test) for result in found]) - np.mean(theirs))
    assert gap < 0.02, f"the two probes differ by {gap:.3f} in accuracy"
    return ours, seconds
