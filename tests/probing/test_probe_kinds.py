"""Tags, numbers, windows and frames to be ignored: each kind of target against scikit-learn or a closed form."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from benchmark.probing.features import Features
from benchmark.probing.fractions import Subset
from benchmark.probing.layers import descent, row_loss
from benchmark.probing.linear_probe import fit_path, fit_ridge
from benchmark.probing.probe import L2S, Targets, run_probe

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(400, 12)) / np.arange(1, 13)).astype(np.float32)
SPLIT = np.resize(np.repeat(["train", "val", "test"], [6, 2, 2]), 400)
WHOLE = Subset(1.0, 0, np.flatnonzero(SPLIT == "train"), np.flatnonzero(SPLIT == "val"))
TEST = np.flatnonzero(SPLIT == "test")


def standardised() -> tuple[NDArray[Any], NDArray[Any]]:
    scaler = StandardScaler().fit(X[WHOLE.train])
    return scaler.transform(X[WHOLE.train]), scaler.transform(X[TEST])


def nth(candidate: int) -> Any:
    """Choose the n-th candidate, whatever the outputs."""
    calls = iter(range(10_000))
    return lambda outputs, tracks: float(next(calls) == candidate)


def test_each_tag_is_a_logistic_regression_on_the_clips_that_know_it() -> None:
    tags = (X @ RNG.normal(size=(12, 3)) + 0.3 * RNG.normal(size=(400, 3)) > 0.5).astype(np.float32)
    tags[RNG.random((400, 3)) < 0.3] = np.nan
    (result,) = run_probe("linear", Features.of(X), Targets(tags, 3, "sigmoid"), [WHOLE], TEST, nth(2))
    train, test = standardised()
    for tag, l2 in ((t, L2S[2]) for t in range(3)):
        known = np.isfinite(tags[WHOLE.train, tag])
        # the mean is over all rows, so that a tag's penalty does not depend on how many clips know it
        oracle = LogisticRegression(C=1 / (len(train) * l2), tol=1e-8, max_iter=10_000)
        oracle.fit(train[known], tags[WHOLE.train, tag][known])
        # logits within 0.02: probabilities within half a percent, where L-BFGS stops
        np.testing.assert_allclose(np.stack(result.outputs)[:, tag], oracle.decision_function(test), atol=2e-2)


def test_numbers_are_ridge_regression() -> None:
    numbers = (7 + 20 * X @ RNG.normal(size=(12, 2)) + RNG.normal(size=(400, 2))).astype(np.float32)
    (result,) = run_probe("linear", Features.of(X), Targets(numbers, 2, "squares"), [WHOLE], TEST, nth(3))
    train, test = standardised()
    oracle = Ridge(alpha=len(train) * L2S[3]).fit(train, numbers[WHOLE.train])
    np.testing.assert_allclose(np.stack(result.outputs), oracle.predict(test), rtol=1e-3, atol=1e-2)


def test_an_mlp_fits_what_a_line_cannot() -> None:
    numbers = 100 + 5 * np.abs(X[:, :1])
    error = {}
    for kind in ("linear", "mlp"):
        targets = Targets(numbers, 1, "squares")

        def select(outputs: Any, tracks: NDArray[np.int64]) -> float:
            return -float(np.square(np.stack(outputs)[:, 0] - numbers[tracks, 0]).mean())

        (result,) = run_probe(kind, Features.of(X), targets, [WHOLE], TEST, select)  # type: ignore[arg-type]
        error[kind] = -select(result.outputs, TEST)
    assert error["mlp"] < 0.6 * error["linear"]


def test_a_tracks_windows_teach_alike_and_are_averaged() -> None:
    """Tracks of 1 to 3 windows: as many rows in training, one output each."""
    counts = RNG.integers(1, 4, 400)
    owner = np.repeat(np.arange(400), counts)
    windows = (X[owner] + 0.1 * RNG.normal(size=(len(owner), 12))).astype(np.float32)
    features = Features(windows, np.concatenate([[0], np.cumsum(counts)]), frame_level=False)
    labels = (X[:, 0] > 0).astype(np.int64)
    targets = Targets(np.repeat(labels, counts), 2, "softmax")
    (result,) = run_probe("linear", features, targets, [WHOLE], TEST, nth(3))
    scaler = StandardScaler().fit(windows[np.isin(owner, WHOLE.train)])
    rows = np.isin(owner, WHOLE.train)
    alone = Targets(np.repeat(labels, counts), 2, "softmax")
    x = torch.from_numpy(scaler.transform(windows[rows]).astype(np.float32))
    w = next(fit_path(x[None], alone.read(np.flatnonzero(rows))[None], [L2S[3]], "softmax"))[0].numpy()
    logits = scaler.transform(windows) @ w[:-1] + w[-1]
    expected = [logits[owner == track].mean(axis=0) for track in TEST]
    np.testing.assert_allclose(np.stack(result.outputs), expected, atol=1e-2)


def test_frames_without_a_class_teach_nothing() -> None:
    frames = X.reshape(40, 10, 12)
    labels = (X[:, 0] > 0).astype(np.int64)
    subset, test = Subset(1.0, 0, np.arange(24), np.arange(24, 32)), np.arange(32, 40)
    ignored = RNG.random(400) < 0.4
    poisoned = X.copy()
    poisoned[ignored & (np.arange(400) < 240)] = 1e4
    some = Targets(np.where(ignored, -1, labels), 2, "softmax")
    (a,) = run_probe("linear", Features.of(frames), some, [subset], test, nth(3))
    (b,) = run_probe("linear", Features.of(poisoned.reshape(40, 10, 12)), some, [subset], test, nth(3))
    assert [o.shape for o in a.outputs] == [(10, 2)] * 8
    np.testing.assert_array_equal(np.stack(a.outputs), np.stack(b.outputs))


@pytest.mark.parametrize(
    ("classes", "planted", "looks", "chosen"),
    [
        # nothing happens until the regularisation lets a weak encoder's frames differ
        (2, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4], 9, 1e-6),
        (2, [0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.3], 9, 1e-5),
        (41, [0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.3, 0.2, 0.9], 7, 1e-3),
        (41, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.4], 9, 1e-6),
        (41, [0.1, 0.2, 0.4, 0.3, 0.3, 0.2, 0.2, 0.9, 0.9], 6, 1.0),
        # a part of what is ahead is no reason to stop, nor what has been ahead before anything was learned
        (41, [0.1, 0.2, 0.4, 0.4, 0.395, 0.395, 0.6, 0.5, 0.9], 8, 1e-4),
        (41, [0.3, 0.25, 0.2, 0.2, 0.2, 0.25, 0.35, 0.4, 0.39], 9, 1e-5),
    ],
)
def test_classes_of_frames_are_searched_past_a_plateau(
    classes: int, planted: list[float], looks: int, chosen: float
) -> None:
    labels, asked = (X[:, 0] > 0).astype(np.int64), list[float]()

    def planned(outputs: Any, tracks: Any) -> float:
        asked.append(planted[len(asked)])
        return asked[-1]

    subset, test = Subset(1.0, 0, np.arange(24), np.arange(24, 32)), np.arange(32, 40)
    targets = Targets(labels, classes, "softmax", of_frames=True)
    (result,) = run_probe("linear", Features.of(X.reshape(40, 10, 12)), targets, [subset], test, planned)
    assert (len(asked), result.chosen) == (looks, {"l2": chosen})


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_descent_follows_the_derivatives_of_the_loss(kind: Any) -> None:
    z = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    y = torch.rand(2, 6, 4, dtype=torch.float64)
    if kind == "softmax":
        y = torch.eye(4, dtype=torch.float64)[torch.arange(12).view(2, 6) % 4]
    else:
        y[0, 1, 2] = y[1, 3, 0] = torch.nan
    each = row_loss(z, y, kind)
    (gradient,) = torch.autograd.grad(each.sum(), z)
    loss, slope, curvature = descent(z.detach().clone(), y, kind)
    torch.testing.assert_close(loss, each.sum(1).detach())
    torch.testing.assert_close(slope, gradient)
    assert torch.isfinite(gradient).all()
    for s, k in itertools.product(range(2), range(6)):
        target = y[s, k].nan_to_num()  # what is not known curves the loss as what is
        curvature[s] -= torch.autograd.functional.hessian(
            lambda row, t=target: row_loss(row, t, kind), z[s, k]
        ).diagonal()
    torch.testing.assert_close(curvature, torch.zeros_like(curvature))


def test_a_probe_that_learned_nothing_but_nan_predicts_nothing() -> None:
    """Numbers whose squares are beyond single precision: their scale is infinite."""
    numbers = (1e30 * X[:, :1]).astype(np.float32)
    with pytest.raises(ValueError, match="weights became NaN"):
        list(run_probe("linear", Features.of(X), Targets(numbers, 1, "squares"), [WHOLE], TEST, nth(3)))


def test_dimensions_that_are_hardly_ever_heard_are_solved_too() -> None:
    """A pitch posterior's: almost equal eigenvalues, on half of which LAPACK gives up in single precision."""
    bins = np.arange(384)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        pitch = 100 + 3 * rng.integers(60, size=(1200, 1)) + 0.3 * rng.normal(size=(1200, 1))
        peak = np.exp(-np.square((bins - pitch) / 6))
        posterior = peak / peak.sum(axis=1, keepdims=True)
        x = np.hstack([posterior, 0.1 * rng.random((1200, 1)) * posterior, rng.normal(size=(1200, 4))])
        std = x.std(axis=0)
        x = ((x - x.mean(axis=0)) / np.where(std > 1e-12, std, 1)).astype(np.float32)
        y = (pitch / 50).astype(np.float32)
        w = fit_ridge(torch.from_numpy(x)[None], torch.from_numpy(y)[None], [1e-2])[0, 0].numpy()
        oracle = Ridge(alpha=1200 * 1e-2).fit(x.astype(np.float64), y)
        np.testing.assert_allclose(x @ w[:-1] + w[-1], oracle.predict(x).reshape(-1, 1), atol=2e-3)
