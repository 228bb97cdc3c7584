"""Frozen-embedding probes: all resamples and all regularisations of a label fraction are solved at once.

Conventions: a probe is a list of layers, each (S, H, in + 1, out) with the bias as its last row, for S
subsets and H hyper-parameters; a linear probe has one layer, an MLP two with a ReLU between. Targets are
(S, n, C): one-hot for C classes (softmax), or one activation in [0, 1] (C = 1, sigmoid). Clips and frames
differ only in `Features`: a track owns 1 row or F rows of one flat table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.experiment.fractions import Subset, draw_subsets

#: mean loss + l2 / 2 * |W|^2 on standardised features; strongest first, so that ties go to it
L2S = (10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
#: (learning rate, decoupled weight decay), strongest regularisation first
MLP_GRID = ((3e-4, 10.0), (3e-3, 10.0), (3e-4, 1e-2), (3e-3, 1e-2))
#: neighbouring frames say nearly the same: beyond this many rows only the bill grows, not the score
TRAIN_ROWS = 20_000
#: enough to see when an MLP starts to overfit
STOP_ROWS = 2_000
#: rows in memory at once while predicting (32 MB at 512 dimensions)
CHUNK_ROWS = 16_384
HIDDEN, STEPS, BATCH, CHECK_EVERY = 512, 300, 256, 25
HISTORY, MAX_EVALUATIONS = 10, 400
#: stop when the predicted decrease of the loss, relative to the loss, is below this
TOLERANCE = 1e-5
#: differences of a float32 loss below this share of it are rounding
NOISE = 1e-6

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
            chunks.append(_forward(layers, x).cpu().numpy())
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


def _forward(layers: list[Tensor], x: Tensor) -> Tensor:
    """Logits (..., n, C) of rows (..., n, D)."""
    for i, layer in enumerate(layers):
        x = functional.pad(x if i == 0 else x.relu(), (0, 1), value=1.0) @ layer
    return x


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Loss of each row (...): softmax over several columns, sigmoid for one."""
    if z.shape[-1] == 1:
        return (functional.softplus(z) - y * z)[..., 0]
    return z.logsumexp(-1) - (y * z).sum(-1)


# ---- linear: multinomial or binary logistic regression by one batched L-BFGS


def fit_linear(x: Tensor, y: Tensor, l2s: list[float]) -> Tensor:
    """Minimise mean cross-entropy + l2 / 2 * |W|^2 (bias free) for every subset and every l2.

    The rows are rotated to their principal axes, where the Hessian is nearly diagonal: their spectrum, times
    the mean variance of the predictions, plus l2. Refreshed at every step, that preconditions L-BFGS.
    (Boehning's constant bound in its place, 1992, takes two to seven times the evaluations.) Fewer rows than
    dimensions leave only as many axes, so that small fractions cost next to nothing.

    Args:
        x: (S, n, D) standardised float32 rows.
        y: (S, n, C) targets.
        l2s: L regularisations, all positive.

    Returns:
        (S, L, D + 1, C) weights, the bias last.
    """
    x, basis = _principal_axes(x)
    l2 = torch.tensor(l2s, device=x.device)[None, :, None].expand(len(x), -1, -1)
    w = _minimise(x, y, l2).view(*l2.shape[:2], -1, y.shape[-1])
    return torch.cat([basis[:, None] @ w[..., :-1, :], w[..., -1:, :]], -2)


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate (S, n, D) to (S, n, R), R = min(n, D), and return the basis, (S, D, R), too."""
    basis = None
    if x.shape[1] < x.shape[2]:
        basis, triangle = torch.linalg.qr(x.mT)
        x = triangle.mT
    axes = torch.linalg.eigh(x.mT @ x).eigenvectors
    return x @ axes, axes if basis is None else basis @ axes


def _objective(x: Tensor, y: Tensor, theta: Tensor, l2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss (S, L, 1), gradient (S, L, K) and mean variance of the predictions (S, L, 1) at theta (S, L, K).

    K = (R + 1) * C; one matrix product serves all L.
    """
    (s, n, _), c = x.shape, y.shape[-1]
    w = theta.view(s, len(l2[0]), -1, c).transpose(1, 2).flatten(2)
    z = torch.baddbmm(w[:, -1:], x, w[:, :-1]).view(s, n, -1, c)
    p = z.sigmoid() if c == 1 else z.softmax(-1)
    residual = (p - y[:, :, None]).flatten(2)
    grad = torch.cat([x.mT @ residual, residual.sum(1, keepdim=True)], 1) / n
    grad = grad.view(s, w.shape[1], -1, c).transpose(1, 2).flatten(2)
    weights = torch.cat([theta[..., :-c], torch.zeros_like(theta[..., -c:])], -1)
    loss = _cross_entropy(z, y[:, :, None]).mean(1)[..., None]
    loss = loss + l2 / 2 * weights.square().sum(-1, keepdim=True)
    return loss, grad + l2 * weights, (p - p.square()).mean((1, 3))[..., None]


@dataclass
class _State:
    """L-BFGS on S x L independent problems; every field is (S, L, ...)."""

    l2: Tensor
    spectrum: Tensor
    theta: Tensor
    loss: Tensor
    grad: Tensor
    variance: Tensor
    direction: Tensor
    step: Tensor
    done: Tensor
    s: Tensor
    y: Tensor
    rho: Tensor

    def take(self, keep: Tensor) -> _State:
        """Keep some of the L problems."""
        return _State(*(getattr(self, field.name)[:, keep] for field in fields(self)))


def _minimise(x: Tensor, y: Tensor, l2: Tensor) -> Tensor:
    """Minimise from zero, to theta (S, L, K); an l2 that has converged on all subsets leaves the batch."""
    state = _start(x, y, l2)
    result, left = state.theta.clone(), torch.arange(l2.shape[1], device=x.device)
    for _ in range(MAX_EVALUATIONS):
        _advance(state, *_objective(x, y, state.theta + state.step * state.direction, state.l2))
        result[:, left] = state.theta
        keep = ~state.done.all(0)[:, 0]
        if not keep.any():
            break
        if not keep.all():
            state, left = state.take(keep), left[keep]
    return result


def _start(x: Tensor, y: Tensor, l2: Tensor) -> _State:
    """Everything at zero, and the first direction."""
    axes = functional.pad(x.square().mean(1), (0, 1), value=1.0).repeat_interleave(y.shape[-1], -1)
    theta = torch.zeros_like(axes)[:, None].repeat(1, l2.shape[1], 1)
    loss, grad, variance = _objective(x, y, theta, l2)
    empty, one = theta[:, :, None].repeat(1, 1, HISTORY, 1), torch.ones_like(l2)
    state = _State(
        *(l2, axes[:, None].expand_as(theta), theta, loss, grad, variance, theta, one, one < 0),
        *(empty, empty, empty[..., 0]),
    )
    state.direction = _direction(state)
    return state


def _advance(st: _State, loss: Tensor, grad: Tensor, variance: Tensor) -> None:
    """Accept or shorten each problem's step, given the objective at its end; no problem waits for another."""
    slope = (st.grad * st.direction).sum(-1, keepdim=True)
    move = st.step * st.direction
    accept = (loss <= st.loss + 1e-4 * st.step * slope + NOISE * st.loss) & ~st.done
    _remember(st, accept, move, grad - st.grad)
    # Where it was too long: the minimum of the parabola through what is known.
    parabola = -slope * st.step.square() / (2 * (loss - st.loss - slope * st.step)).clamp_min(1e-30)
    shorter = torch.minimum(torch.maximum(parabola, 0.1 * st.step), 0.5 * st.step)
    st.theta = torch.where(accept, st.theta + move, st.theta)
    st.loss, st.grad = torch.where(accept, loss, st.loss), torch.where(accept, grad, st.grad)
    st.variance = torch.where(accept, variance, st.variance)
    st.direction = torch.where(accept, _direction(st), st.direction)
    st.step = torch.where(accept, torch.ones_like(st.step), shorter)
    decrease = -(st.grad * st.direction).sum(-1, keepdim=True)
    st.done = st.done | (decrease <= TOLERANCE * st.loss.clamp_min(1e-3)) | (st.step < 1e-6)


def _remember(st: _State, accept: Tensor, s: Tensor, y: Tensor) -> None:
    """Append a pair to the histories that took the step, unless rounding hides its curvature."""
    sy = (s * y).sum(-1, keepdim=True)
    push = accept & (sy > 1e-6 * s.norm(dim=-1, keepdim=True) * y.norm(dim=-1, keepdim=True))
    st.s = torch.where(push[..., None], torch.cat([st.s[:, :, 1:], s[:, :, None]], 2), st.s)
    st.y = torch.where(push[..., None], torch.cat([st.y[:, :, 1:], y[:, :, None]], 2), st.y)
    st.rho = torch.where(push, torch.cat([st.rho[:, :, 1:], sy.reciprocal()], 2), st.rho)


def _direction(st: _State) -> Tensor:
    """Two-loop recursion; an empty slot has rho = 0 and changes nothing."""
    q, alphas = st.grad, []
    for k in reversed(range(HISTORY)):
        alphas.append(st.rho[:, :, k, None] * (st.s[:, :, k] * q).sum(-1, keepdim=True))
        q = q - alphas[-1] * st.y[:, :, k]
    scale = (st.variance.clamp_min(1e-7) * st.spectrum + st.l2).reciprocal()
    last = st.rho[:, :, -1:] * (scale * st.y[:, :, -1].square()).sum(-1, keepdim=True)
    q = q * scale * torch.where(last > 0, last.reciprocal(), torch.ones_like(last))
    for k in range(HISTORY):
        beta = st.rho[:, :, k, None] * (st.y[:, :, k] * q).sum(-1, keepdim=True)
        q = q + (alphas.pop() - beta) * st.s[:, :, k]
    return -q


# ---- mlp: one hidden layer, a fixed number of minibatch AdamW steps


def fit_mlp(
    x: Tensor,
    y: Tensor,
    x_val: Tensor,
    y_val: Tensor,
    grid: list[tuple[float, float]],
    seeds: list[int],
) -> tuple[Tensor, Tensor]:
    """Train an MLP for every subset and every (learning rate, weight decay); keep each one's best moment.

    The cost does not depend on n. All of a subset's candidates share initialisation and minibatches, which
    follow from its seed alone.

    Args:
        x: (S, n, D) standardised float32 rows.
        y: (S, n, C) targets.
        x_val: (S, m, D) rows for early stopping.
        y_val: (S, m, C) their targets.
        grid: H pairs of learning rate and decoupled weight decay.
        seeds: S seeds.

    Returns:
        Layers (S, H, D + 1, 512) and (S, H, 513, C), the bias last.
    """
    draws = [_draw(seed, x.shape, y.shape[-1]) for seed in seeds]
    layers = [
        torch.stack(w).to(x.device)[:, None].repeat(1, len(grid), 1, 1).requires_grad_()
        for w in zip(*(d[0] for d in draws), strict=True)
    ]
    index = torch.stack([d[1] for d in draws]).to(x.device)
    optimizer = _optimizer(layers, grid)
    best, lowest = [w.detach().clone() for w in layers], torch.full(layers[0].shape[:2], torch.inf).to(x)
    for t in range(STEPS):
        xb, yb = _gather(x, index[:, t]), _gather(y, index[:, t])
        loss = _cross_entropy(_forward(layers, xb[:, None]), yb[:, None]).mean(-1).sum()
        _step(optimizer, torch.autograd.grad(loss, layers), t)
        if (t + 1) % CHECK_EVERY == 0:
            lowest = _keep_best(layers, best, lowest, x_val, y_val)
    return best[0], best[1]


def _draw(seed: int, shape: torch.Size, columns: int) -> tuple[list[Tensor], Tensor]:
    """Initial layers and all minibatches, (STEPS, b), of one subset; on the CPU, the same for any device."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for fan_in, fan_out in ((shape[2], HIDDEN), (HIDDEN, columns)):
        w = torch.rand(fan_in + 1, fan_out, generator=generator) * 2 - 1
        w[-1] = 0
        layers.append(w * fan_in**-0.5)
    return layers, torch.randint(shape[1], (STEPS, min(BATCH, shape[1])), generator=generator)


def _gather(rows: Tensor, index: Tensor) -> Tensor:
    return rows[torch.arange(len(rows), device=rows.device)[:, None], index]


@torch.no_grad()
def _keep_best(layers: list[Tensor], best: list[Tensor], lowest: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Copy the layers of the candidates that improved; return the lowest validation losses, (S, H)."""
    loss = _cross_entropy(_forward(layers, x[:, None]), y[:, None]).mean(-1)
    for kept, now in zip(best, layers, strict=True):
        kept.copy_(torch.where((loss < lowest)[..., None, None], now, kept))
    return torch.minimum(loss, lowest)


def _optimizer(layers: list[Tensor], grid: list[tuple[float, float]]) -> torch.optim.Adam:
    """Adam over views of the layers, one group per candidate: fused passes, and a learning rate for each."""
    groups = [
        {
            "params": [w.detach()[s, h] for s in range(len(layers[0])) for w in layers],
            "peak": lr,
            "decay": decay,
        }
        for h, (lr, decay) in enumerate(grid)
    ]
    return torch.optim.Adam(groups, fused=True)


@torch.no_grad()
def _step(optimizer: torch.optim.Adam, grads: tuple[Tensor, ...], t: int) -> None:
    """One step of AdamW with the learning rate falling linearly to zero; biases do not decay."""
    for h, group in enumerate(optimizer.param_groups):
        group["lr"] = group["peak"] * (1 - t / STEPS)
        views = [g[s, h] for s in range(len(grads[0])) for g in grads]
        for w, g in zip(group["params"], views, strict=True):
            w.grad = g
            w[:-1] *= 1 - group["lr"] * group["decay"]
    optimizer.step()


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
