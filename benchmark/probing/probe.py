"""Frozen-embedding probes: all resamples of a label fraction are solved at once.

Conventions: a probe is a list of layers, each (S, H, in + 1, out) with the bias as its last row, for S
subsets and H hyper-parameters; a linear probe has one layer, an MLP two with a ReLU between. It learns from single
rows (windows or frames); the outputs of a track's windows are averaged, as logits, before anything is decoded.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.interfaces import OutputKind
from benchmark.probing.features import Features
from benchmark.probing.fractions import Subset, draw_subsets
from benchmark.probing.layers import Loss, forward
from benchmark.probing.linear_probe import fit_path, fit_ridge
from benchmark.probing.mlp_probe import fit_mlp

#: mean loss + l2 / 2 * |W|^2 on standardised features; strongest first, so that ties go to it
L2S = (100.0, 10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
#: (learning rate, decoupled weight decay), strongest regularisation first
MLP_GRID = ((1e-3, 10.0), (1e-3, 1e-2))
#: rows that all candidates learn from, and those that the chosen one then does: neighbouring frames say nearly the
#: same, but with the former alone an untrained encoder's chord and melody lose 0.02, downbeat 0.01, beat nothing
TRAIN_ROWS, FINAL_ROWS = 20_000, 80_000
#: of more than `FEW` classes of frames, whose weakest regularizations take longest, the search ends, from an l2 of
#: `SEEN_TO` on, with a candidate that is `CLEARLY` below the best, if that one had learned something: was as far above
#: the first; else, from `ALWAYS_TO` on, with `PATIENCE` in a row that are not above it: a weak encoder's probe may say
#: the same of every frame, and the next candidate the same again
FEW, SEEN_TO, CLEARLY, ALWAYS_TO, PATIENCE = 20, 1e-3, 0.01, 1e-4, 2
#: candidates are solved so far (`TOLERANCE`) before they are compared; the one that is chosen, to its end
ROUGHLY = 1e-4
#: enough to see when an MLP starts to overfit
STOP_ROWS = 2_000
#: rows at once while predicting, so that what is made of them stays in a core's cache
CHUNK_ROWS = 2048

#: by output kind of a task; activations and classes of frames need no rule of their own
LOSSES: dict[OutputKind, Loss] = {
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "squares",
    "frame_activation": "sigmoid",
    "frame_multiclass": "softmax",
}

Outputs = list[NDArray[np.float32]]
Select = Callable[[Outputs, NDArray[np.int64]], float]


@dataclass(frozen=True)
class Targets:
    """What the rows of `Features` should say.

    Attributes:
        rows: (R,) class indices, -1 for rows to leave out; or (R, C) float32, NaN for what is unknown.
        columns: C.
        loss: how outputs compare with them.
        of_frames: whether rows are frames.
    """

    rows: NDArray[Any]
    columns: int
    loss: Loss
    of_frames: bool = False

    def usable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows that a probe can learn from."""
        return rows[self.rows[rows] >= 0] if self.loss == "softmax" else rows

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """(n, C) float32, one-hot for classes."""
        y = torch.from_numpy(self.rows[rows])
        return functional.one_hot(y.long(), self.columns).float() if self.loss == "softmax" else y.float()


@dataclass(frozen=True)
class ProbeResult:
    """A probe's outputs for each test track, as it is and corrupted, and how it was chosen on validation."""

    subset: Subset
    outputs: Outputs
    chosen: dict[str, float]
    val_score: float
    corrupted: list[Outputs] = field(default_factory=list)


def run_probe(
    kind: Literal["linear", "mlp"],
    features: Features,
    targets: Targets,
    subsets: list[Subset],
    test: NDArray[np.int64],
    select: Select,
    device: torch.device | str = "cpu",
    seed: int = 0,
    corrupted: Sequence[Features] = (),
) -> Iterator[ProbeResult]:
    """Fit on each subset's training tracks, choose on validation tracks, then read the test tracks once.

    What is chosen at a fraction is chosen on all of its draws together: a draw of one percent leaves a handful of
    validation tracks, on which most candidates tie. Of many frames all candidates learn from a part, and the chosen one
    then from more. Else a result depends on other subsets only through the rounding of
    batched matrix products: those with equally many rows are solved in one batch.

    Results come one at a time, fraction by fraction, draws in the order of `subsets`: all outputs of a task of frames
    would fill gigabytes.

    Args:
        kind: `linear` (logistic or ridge regression, L2) or `mlp` (one hidden layer of 512).
        features: embeddings of all tracks.
        targets: of their rows; only those of tracks in `subsets` are read.
        subsets: labelled tracks, at least one for training and one for validation in each.
        test: indices of the test tracks.
        select: `select(outputs on val, val indices)`: the task's main metric, higher is better.
        device: where to compute.
        seed: of frame samples, MLP initialisation and minibatches.
        corrupted: test tracks once more, in other conditions: read, never learned from.

    Raises:
        ValueError: a training embedding, or a weight of the chosen probe, is NaN or infinite.
    """
    problem = _Problem(kind, features, targets, torch.device(device), seed)
    for fraction in dict.fromkeys(subset.fraction for subset in subsets):
        draws = [problem.draw(subset) for subset in subsets if subset.fraction == fraction]
        probes, scores = problem.candidates(draws, select)
        best = _best(scores)
        for draw, score in zip(draws, scores[:, best], strict=True):
            probe = problem.settle(draw.subset, probes[draw.subset.resample], best)
            yield problem.read(draw.subset, probe, float(score), test, corrupted)


def _means(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each candidate, over the draws in which it has a score: of (draws, H), (H,)."""
    defined = ~np.isnan(scores)
    means = np.where(defined, scores, 0.0).sum(axis=0) / np.maximum(1, defined.sum(axis=0))
    return np.where(defined.any(axis=0), means, -np.inf)


def _best(scores: NDArray[np.float64]) -> int:
    """The candidate with the best mean, of equal ones the first."""
    return int(np.argmax(_means(scores)))


def _enough(scores: NDArray[np.float64]) -> bool:
    """Whether candidates that are less regularized than these, (draws, H), need no look."""
    last, best, means = scores.shape[1] - 1, _best(scores), _means(scores)
    learned, past = means[best] > means[0] + CLEARLY, means[last] < means[best] - CLEARLY
    return (L2S[last] <= SEEN_TO and learned and past) or (L2S[last] <= ALWAYS_TO and last - best >= PATIENCE)


@dataclass(frozen=True)
class _Draw:
    """The rows that a subset learns from, and those that it stops early by."""

    subset: Subset
    train: NDArray[np.int64]
    val: NDArray[np.int64]

    @property
    def size(self) -> tuple[int, int]:
        return len(self.train), len(self.val)


def _of_equal_size(draws: list[_Draw]) -> list[list[_Draw]]:
    """Groups that can be solved together."""
    return [[draw for draw in draws if draw.size == size] for size in dict.fromkeys(draw.size for draw in draws)]


@dataclass(frozen=True)
class _Probe:
    """Candidates for one subset: layers (H, in + 1, out) and the subset's own scaler, each (D,)."""

    layers: list[Tensor]
    mean: Tensor
    std: Tensor
    hypers: list[dict[str, float]]

    def only(self, candidate: int) -> _Probe:
        """One of them."""
        chosen = slice(candidate, candidate + 1)
        return _Probe([layer[chosen] for layer in self.layers], self.mean, self.std, self.hypers[chosen])

    @staticmethod
    def joined(probes: Sequence[_Probe]) -> _Probe:
        """One of all the candidates of some, which share subset and scaler."""
        layers = [torch.cat(parts) for parts in zip(*(probe.layers for probe in probes), strict=True)]
        return _Probe(layers, probes[0].mean, probes[0].std, [hyper for probe in probes for hyper in probe.hypers])


@dataclass(frozen=True)
class _Problem:
    """What all subsets share."""

    kind: str
    features: Features
    targets: Targets
    device: torch.device
    seed: int

    def draw(self, subset: Subset) -> _Draw:
        """The rows of a subset."""
        return _Draw(subset, self.sample(subset, subset.train, TRAIN_ROWS), self.sample(subset, subset.val, STOP_ROWS))

    def candidates(self, draws: list[_Draw], select: Select) -> tuple[dict[int, _Probe], NDArray[np.float64]]:
        """Candidates of a fraction's subsets, by resample, and their scores on validation, (draws, H)."""
        if self.kind == "linear" and self.targets.loss != "squares":
            return self._along_the_path(draws, select)
        probes: dict[int, _Probe] = {}
        for members in _of_equal_size(draws):
            probes |= zip((draw.subset.resample for draw in members), self.fit(members), strict=True)
        return probes, np.array([self.scores(draw.subset, probes[draw.subset.resample], select) for draw in draws])

    def _along_the_path(self, draws: list[_Draw], select: Select) -> tuple[dict[int, _Probe], NDArray[np.float64]]:
        """From the strongest l2 on; of many classes of frames no further than it takes."""
        found: dict[int, list[_Probe]] = {draw.subset.resample: [] for draw in draws}
        scores: list[list[float]] = []
        for solved in zip(*map(self._path, _of_equal_size(draws)), strict=True):
            for draw, probe in itertools.chain(*solved):
                found[draw.subset.resample].append(probe)
            scores.append([self.scores(draw.subset, found[draw.subset.resample][-1], select)[0] for draw in draws])
            if self.targets.of_frames and self.targets.columns > FEW and _enough(np.array(scores).T):
                break
        return {resample: _Probe.joined(probes) for resample, probes in found.items()}, np.array(scores).T

    def _path(self, draws: list[_Draw]) -> Iterator[list[tuple[_Draw, _Probe]]]:
        """Candidates of subsets of equal size, which are solved together, l2 by l2."""
        x, y, mean, std = self._standardised(draws)
        for l2, solved in zip(L2S, fit_path(x, y, L2S, self.targets.loss, tolerance=ROUGHLY), strict=True):
            yield [(d, _Probe([solved[i : i + 1]], mean[i], std[i], [{"l2": l2}])) for i, d in enumerate(draws)]

    def settle(self, subset: Subset, probe: _Probe, best: int) -> _Probe:
        """The candidate that was chosen; a linear one learns to the end, and from more rows, if there are more."""
        if self.kind != "linear":
            return probe.only(best)
        rows = self.sample(subset, subset.train, FINAL_ROWS)
        if self.targets.loss == "squares" and len(rows) <= TRAIN_ROWS:  # in closed form it has
            return probe.only(best)
        l2s, draw = L2S[best : best + 1], _Draw(subset, rows, np.arange(0))
        if self.targets.loss == "squares":
            return next(self.fit([draw], l2s))
        x, y, mean, std = self._standardised([draw])
        # the candidate's weights, for rows that may be scaled a little differently
        weights = probe.layers[0][best]
        slopes, bias = weights[:-1] / probe.std.T, weights[-1:]
        start = torch.cat([slopes * std[0].T, bias + (mean[0] - probe.mean) @ slopes])[None]
        solved = next(fit_path(x, y, l2s, self.targets.loss, start))
        return _Probe([solved], mean[0], std[0], [{"l2": l2s[0]}])

    def fit(self, draws: list[_Draw], l2s: Sequence[float] = L2S) -> Iterator[_Probe]:
        """Fit all candidates of subsets of equal size at once: MLPs, or ridge regression."""
        x, y, mean, std = self._standardised(draws)
        scale = _scaler(y) if self.targets.loss == "squares" else None
        if scale:  # so that a regularisation means the same whatever the unit
            y = (y - scale[0]) / scale[1]
        if self.kind == "linear":
            layers, hypers = [fit_ridge(x, y, l2s)], [{"l2": l2} for l2 in l2s]
        else:
            x_val, y_val = self._read([d.val for d in draws])
            y_val = (y_val - scale[0]) / scale[1] if scale else y_val
            seeds, stop = [self._seed(d.subset) for d in draws], (x_val - mean) / std
            layers = list(fit_mlp(x, y, stop, y_val, list(MLP_GRID), seeds, self.targets.loss))
            hypers = [{"lr": lr, "weight_decay": decay} for lr, decay in MLP_GRID]
        if scale:
            layers[-1] = layers[-1] * scale[1][:, None]
            layers[-1][..., -1:, :] += scale[0][:, None]
        for i in range(len(draws)):
            yield _Probe([layer[i] for layer in layers], mean[i], std[i], hypers)

    def _standardised(self, draws: list[_Draw]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Training rows of subsets of equal size, (S, n, D), their targets, and what the rows were scaled by."""
        x, y = self._read([d.train for d in draws])
        if not torch.isfinite(x).all():
            raise ValueError("probe: embeddings of training tracks are NaN or infinite; the encoder diverged")
        mean, std = _scaler(x)
        return (x - mean) / std, y, mean, std

    def scores(self, subset: Subset, probe: _Probe, select: Select) -> list[float]:
        """Of each candidate on the subset's validation tracks."""
        return [select(outputs, subset.val) for outputs in self._predict(probe, self.features, subset.val)]

    def read(
        self,
        subset: Subset,
        probe: _Probe,
        score: float,
        test: NDArray[np.int64],
        corrupted: Sequence[Features],
    ) -> ProbeResult:
        """Read test with the one candidate that was chosen."""
        if not all(torch.isfinite(layer).all() for layer in probe.layers):
            raise ValueError(f"probe: weights became NaN or infinite ({probe.hypers[0]})")
        outputs = self._predict(probe, self.features, test)[0]
        others = [self._predict(probe, other, np.arange(len(other.offsets) - 1))[0] for other in corrupted]
        return ProbeResult(subset, outputs, probe.hypers[0], score, others)

    def _predict(self, probe: _Probe, features: Features, tracks: NDArray[np.int64]) -> list[Outputs]:
        """Outputs of H candidates for some tracks."""
        rows, chunks = features.rows(tracks), []
        for start in range(0, len(rows), CHUNK_ROWS):
            x = features.read(rows[start : start + CHUNK_ROWS]).to(self.device)
            chunks.append(forward(probe.layers, (x - probe.mean) / probe.std).cpu().numpy())
        return [features.by_track(outputs, tracks) for outputs in np.concatenate(chunks, axis=1)]

    def _read(self, rows: list[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        """Equally many rows per subset: x (S, n, D), y (S, n, C)."""
        x = torch.stack([self.features.read(r) for r in rows])
        return x.to(self.device), torch.stack([self.targets.read(r) for r in rows]).to(self.device)

    def sample(self, subset: Subset, tracks: NDArray[np.int64], cap: int) -> NDArray[np.int64]:
        """The usable rows of some tracks, at most `cap`."""
        rows = self.targets.usable(self.features.rows(tracks))
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


def bench_probe(n: int = 5000, dim: int = 512, classes: int = 10, device: str = "cpu") -> float:
    """Seconds to fit, choose and score one linear probe: decaying spectrum, 70/10/20 % split, all l2."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=n)
    x = rng.normal(size=(classes, dim))[labels] + 3 * rng.normal(size=(n, dim))
    x = (x / np.arange(1, dim + 1)) @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    splits = np.repeat(["train", "val", "test"], [n - n // 10 - n // 5, n // 10, n // 5])
    subsets = draw_subsets(labels, splits, {1.0: 1}, seed=0)

    def accuracy(outputs: Outputs, tracks: NDArray[np.int64]) -> float:
        return float(np.mean(np.stack(outputs).argmax(1) == labels[tracks]))

    test, start = np.flatnonzero(splits == "test"), time.perf_counter()
    targets = Targets(labels, classes, "softmax")
    (result,) = run_probe("linear", Features.of(x.astype(np.float32)), targets, subsets, test, accuracy, device)
    accuracy(result.outputs, test)
    return time.perf_counter() - start
