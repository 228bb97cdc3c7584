"""Frozen-embedding probes: all resamples and all regularisations of a label fraction are solved at once.

Conventions: a probe is a list of layers, each (S, H, in + 1, out) with the bias as its last row, for S
subsets and H hyper-parameters; a linear probe has one layer, an MLP two with a ReLU between. Targets are
(S, n, C): one-hot for C classes (softmax), or one activation in [0, 1] (C = 1, sigmoid). Clips and frames
differ only in `Features`: a track owns 1 row or F rows of one flat table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.experiment.fractions import Subset, draw_subsets
from benchmark.experiment.layers import forward
from benchmark.experiment.linear_probe import fit_linear
from benchmark.experiment.mlp_probe import fit_mlp

#: mean loss + l2 / 2 * |W|^2 on standardised features; strongest first, so that ties go to it
L2S = (10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
#: (learning rate, decoupled weight decay), strongest regularisation first
MLP_GRID = ((1e-3, 10.0), (1e-3, 1e-2))
#: neighbouring frames say nearly the same: beyond this many rows only the bill grows, not the score
TRAIN_ROWS = 20_000
#: enough to see when an MLP starts to overfit
STOP_ROWS = 2_000
#: rows in memory at once while predicting (32 MB at 512 dimensions)
CHUNK_ROWS = 16_384

Select = Callable[[NDArray[np.float32], NDArray[np.int64]], float]


@dataclass(frozen=True)
class Features:
    """Embeddings of all tracks: (N, D) clips, or (N, F, D) frames, which may be a float16 memory map."""

    data: NDArray[Any]

    @property
    def frames(self) -> int:
        """Rows per track."""
        return self.data.shape[1] if self.data.ndim == 3 else 1

    def rows(self, tracks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flat rows of some tracks, (len(tracks) * frames,)."""
        return (tracks[:, None] * self.frames + np.arange(self.frames)).reshape(-1)

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Read flat rows, (n, D) float32."""
        return torch.from_numpy(self.data.reshape(-1, self.data.shape[-1])[rows].astype(np.float32))


@dataclass(frozen=True)
class ProbeResult:
    """A probe's logits on test, (n_test, C) or (n_test, F), and how it was chosen on validation."""

    subset: Subset
    outputs: NDArray[np.float32]
    chosen: dict[str, float]
    val_score: float


def run_probe(
    kind: Literal["linear", "mlp"],
    features: Features,
    targets: NDArray[Any],
    subsets: list[Subset],
    test: NDArray[np.int64],
    select: Select,
    device: torch.device | str = "cpu",
    seed: int = 0,
    classes: int | None = None,
) -> list[ProbeResult]:
    """Fit on each subset's training tracks, choose on its validation tracks, then read the test tracks once.

    Subsets of equal size are solved in one batch, which they share nothing in but the arithmetic: a result
    depends on the others only through the rounding of batched matrix products.

    Args:
        kind: `linear` (logistic regression, L2) or `mlp` (one hidden layer of 512).
        features: embeddings of all tracks.
        targets: (N,) class indices, or (N, F) activations in [0, 1]; only rows in `subsets` are read.
        subsets: labelled tracks, at least one for training and one for validation in each.
        test: indices of the test tracks.
        select: `select(outputs on val, val indices)`: the task's main metric, higher is better.
        device: where to compute.
        seed: of frame samples, MLP initialisation and minibatches.
        classes: number of classes; by default what the targets show.

    Raises:
        ValueError: a training embedding is NaN or infinite.
    """
    columns = 1 if targets.ndim == 2 else classes or int(targets.max()) + 1
    problem = _Problem(kind, features, targets, columns, torch.device(device), seed)
    results: list[ProbeResult | None] = [None] * len(subsets)
    for size in dict.fromkeys((len(s.train), len(s.val)) for s in subsets):
        members = [i for i, s in enumerate(subsets) if (len(s.train), len(s.val)) == size]
        for i, probe in zip(members, problem.fit([subsets[i] for i in members]), strict=True):
            results[i] = problem.choose(subsets[i], probe, test, select)
    return [r for r in results if r is not None]


@dataclass(frozen=True)
class _Probe:
    """All candidates for one subset: layers (H, in + 1, out) and the subset's own scaler, each (D,)."""

    layers: list[Tensor]
    mean: Tensor
    std: Tensor
    hypers: list[dict[str, float]]


@dataclass(frozen=True)
class _Problem:
    """What all subsets share."""

    kind: str
    features: Features
    targets: NDArray[Any]
    columns: int
    device: torch.device
    seed: int

    def fit(self, subsets: list[Subset]) -> Iterator[_Probe]:
        """Fit all candidates of subsets of equal size."""
        x, y = self._batch([(s, s.train) for s in subsets], TRAIN_ROWS)
        if not torch.isfinite(x).all():
            raise ValueError("probe: embeddings of training tracks are NaN or infinite; the encoder diverged")
        mean, std = _scaler(x)
        x = (x - mean) / std
        if self.kind == "linear":
            layers = [fit_linear(x, y, list(L2S))]
            hypers = [{"l2": l2} for l2 in L2S]
        else:
            x_val, y_val = self._batch([(s, s.val) for s in subsets], STOP_ROWS)
            seeds = [self._seed(s) for s in subsets]
            layers = list(fit_mlp(x, y, (x_val - mean) / std, y_val, list(MLP_GRID), seeds))
            hypers = [{"lr": lr, "weight_decay": decay} for lr, decay in MLP_GRID]
        for i in range(len(subsets)):
            yield _Probe([layer[i] for layer in layers], mean[i], std[i], hypers)

    def choose(self, subset: Subset, probe: _Probe, test: NDArray[np.int64], select: Select) -> ProbeResult:
        """Choose among the candidates on validation, and only then read test."""
        scores = [select(outputs, subset.val) for outputs in self._predict(probe, probe.layers, subset.val)]
        best = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
        outputs = self._predict(probe, [layer[best : best + 1] for layer in probe.layers], test)[0]
        return ProbeResult(subset, outputs, probe.hypers[best], float(scores[best]))

    def _predict(self, probe: _Probe, layers: list[Tensor], tracks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Outputs of H candidates for all rows of some tracks: (H, n, C), or (H, n, F) for activations."""
        chunks, per_chunk = [], max(1, CHUNK_ROWS // self.features.frames)
        for start in range(0, len(tracks), per_chunk):
            rows = self.features.rows(tracks[start : start + per_chunk])
            x = (self.features.read(rows).to(self.device) - probe.mean) / probe.std
            chunks.append(forward(layers, x).cpu().numpy())
        shape = (-1, self.features.frames if self.targets.ndim == 2 else self.columns)
        return np.concatenate(chunks, axis=1).reshape(len(layers[0]), *shape)

    def _batch(self, parts: list[tuple[Subset, NDArray[np.int64]]], cap: int) -> tuple[Tensor, Tensor]:
        """Read the rows of equally many tracks per subset, at most `cap`: x (S, n, D), y (S, n, C)."""
        rows = [self._sample(subset, tracks, cap) for subset, tracks in parts]
        y = torch.from_numpy(np.stack([self.targets.reshape(-1)[r] for r in rows]))
        y = y[..., None].float() if self.columns == 1 else functional.one_hot(y.long(), self.columns).float()
        return torch.stack([self.features.read(r) for r in rows]).to(self.device), y.to(self.device)

    def _sample(self, subset: Subset, tracks: NDArray[np.int64], cap: int) -> NDArray[np.int64]:
        rows = self.features.rows(tracks)
        if len(rows) <= cap:
            return rows
        rng = np.random.default_rng(self._seed(subset))
        # Sorted, so that a memory map is read in order.
        return np.sort(rng.choice(rows, cap, replace=False))

    def _seed(self, subset: Subset) -> int:
        """Randomness follows from the subset's name alone, not from its neighbours in the batch."""
        entropy = [self.seed, subset.resample, round(subset.fraction * 1_000_000)]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _scaler(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each training subset, (S, 1, D); a constant dimension is left at scale 1."""
    mean = x.mean(1, keepdim=True)
    std = (x - mean).square().mean(1, keepdim=True).sqrt()
    return mean, torch.where(std > 1e-6 * (1e-6 + mean.abs()), std, torch.ones_like(std))


def bench_probe(n: int = 5000, dim: int = 512, classes: int = 10) -> float:
    """Seconds to fit, choose and score one linear probe: decaying spectrum, 70/10/20 % split, all l2."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=n)
    x = rng.normal(size=(classes, dim))[labels] + 3 * rng.normal(size=(n, dim))
    x = (x / np.arange(1, dim + 1)) @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    splits = np.repeat(["train", "val", "test"], [n - n // 10 - n // 5, n // 10, n // 5])
    subsets = draw_subsets(labels, splits, {1.0: 1}, seed=0)

    def accuracy(outputs: NDArray[np.float32], tracks: NDArray[np.int64]) -> float:
        return float(np.mean(outputs.argmax(1) == labels[tracks]))

    test, start = np.flatnonzero(splits == "test"), time.perf_counter()
    result = run_probe("linear", Features(x.astype(np.float32)), labels, subsets, test, accuracy)[0]
    accuracy(result.outputs, test)
    return time.perf_counter() - start
