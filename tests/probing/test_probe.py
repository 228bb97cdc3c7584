"""Probes against scikit-learn, and against planted structure."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from benchmark.probing import mlp_probe, probe
from benchmark.probing.features import Features
from benchmark.probing.fractions import Subset, draw_subsets
from benchmark.probing.linear_probe import fit_path
from benchmark.probing.probe import L2S, ProbeResult, Targets

Floats = NDArray[np.float32]
Kind = Literal["linear", "mlp"]
KINDS: tuple[Kind, ...] = ("linear", "mlp")


def embeddings(n: int, dim: int, classes: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Overlapping classes whose variance decays as 1 / k^2 along hidden axes, as real embeddings' does."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    x = rng.normal(size=(classes, dim))[labels] + 2.5 * rng.normal(size=(n, dim))
    axes = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    return (5 + (x / np.arange(1, dim + 1)) @ axes).astype(np.float32), labels


def places(n: int) -> NDArray[np.str_]:
    return np.resize(np.repeat(["train", "val", "test"], [12, 3, 5]), n)


def whole(n: int) -> tuple[Subset, NDArray[np.int64]]:
    train, val, test = (np.flatnonzero(places(n) == s) for s in ("train", "val", "test"))
    return Subset(1.0, 0, train, val), test


def accuracy(targets: NDArray[Any]) -> Callable[[Floats, NDArray[np.int64]], float]:
    """Share of correct classes, or of correctly thresholded frames."""
    if targets.ndim == 2:
        return lambda outputs, tracks: float(np.mean((outputs > 0) == (targets[tracks] > 0.5)))
    return lambda outputs, tracks: float(np.mean(outputs.argmax(1) == targets[tracks]))


def prefer(candidate: int) -> Callable[[Floats, NDArray[np.int64]], float]:
    """Choose the n-th candidate of each subset, whatever the outputs."""
    calls: defaultdict[bytes, Iterator[int]] = defaultdict(itertools.count)
    return lambda outputs, tracks: float(next(calls[tracks.tobytes()]) % len(L2S) == candidate)


def run_probe(
    kind: Kind,
    x: NDArray[Any],
    y: NDArray[Any],
    subsets: list[Subset],
    test: NDArray[np.int64],
    select: Callable[[Floats, NDArray[np.int64]], float],
    **options: Any,
) -> list[Any]:
    """`probe.run_probe` on (N, D) or (N, F, D), with targets (N,) or (N, F), and outputs as one array."""
    if y.ndim == 2:
        targets = Targets(y.reshape(-1, 1).astype(np.float32), 1, "sigmoid")
    else:
        targets = Targets(y, int(y.max()) + 1, "softmax")
    found = probe.run_probe(
        kind, Features.of(x), targets, subsets, test, lambda o, t: select(np.stack(o), t), **options
    )
    return [_Stacked(r) for r in found]


class _Stacked:
    def __init__(self, result: ProbeResult) -> None:
        self.subset, self.chosen, self.val_score = result.subset, result.chosen, result.val_score
        self.outputs = np.stack(result.outputs)


def tuned_by_sklearn(x: Floats, y: NDArray[Any], subset: Subset, test: NDArray[np.int64]) -> float:
    """Test accuracy of scikit-learn on the same split and grid; x (N, F, D), y (N, F)."""
    scaler = StandardScaler().fit(x[subset.train].reshape(-1, x.shape[-1]))

    def part(tracks: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        return scaler.transform(x[tracks].reshape(-1, x.shape[-1])), y[tracks].reshape(-1)

    x_train, y_train = part(subset.train)
    models = [
        LogisticRegression(C=1 / (len(y_train) * l2), tol=1e-6, max_iter=5000).fit(x_train, y_train) for l2 in L2S
    ]
    best = int(np.argmax([m.score(*part(subset.val)) for m in models]))
    return float(models[best].score(*part(test)))


# ---- scikit-learn as the oracle


@pytest.mark.parametrize(("dim", "classes", "seed"), [(64, 6, 0), (32, 3, 1), (96, 10, 2)])
def test_clip_accuracy_is_that_of_tuned_sklearn(dim: int, classes: int, seed: int) -> None:
    x, labels = embeddings(3000, dim, classes, seed)
    subset, test = whole(3000)
    (result,) = run_probe("linear", x, labels, [subset], test, accuracy(labels))
    oracle = tuned_by_sklearn(x[:, None], labels[:, None], subset, test)
    assert 1.5 / classes < oracle < 0.97  # neither hopeless nor trivial
    assert accuracy(labels)(result.outputs, test) == pytest.approx(oracle, abs=0.003)


def test_frame_accuracy_is_that_of_tuned_sklearn() -> None:
    n, frames = 100, 30
    x, labels = embeddings(n * frames, 24, 2, seed=3)
    x = x.reshape(n, frames, -1).astype(np.float16)
    y = labels.reshape(n, frames).astype(np.float32)
    subset, test = whole(n)
    (result,) = run_probe("linear", x, y, [subset], test, accuracy(y))
    oracle = tuned_by_sklearn(x.astype(np.float32), y, subset, test)
    assert 0.6 < oracle < 0.97
    assert accuracy(y)(result.outputs, test) == pytest.approx(oracle, abs=0.003)


def double_loss(w: torch.Tensor, x: torch.Tensor, y: torch.Tensor, l2: float) -> float:
    """The objective, written out a second time in float64: x (n, D), y (n, C), w (D + 1, C)."""
    z = x.double() @ w[:-1].double() + w[-1].double()
    if y.shape[-1] == 1:
        loss = functional.binary_cross_entropy_with_logits(z, y.double())
    else:
        loss = functional.cross_entropy(z, y.double())
    return float(loss + l2 / 2 * w[:-1].double().square().sum())


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize(("n", "dim", "classes"), [(1500, 40, 5), (1500, 40, 2), (60, 128, 4)])
def test_loss_reaches_the_minimum_that_sklearn_finds(n: int, dim: int, classes: int, l2: float) -> None:
    raw, labels = embeddings(n, dim, classes)
    x = torch.from_numpy(StandardScaler().fit_transform(raw))
    target = torch.from_numpy(labels)
    y = target[:, None].float() if classes == 2 else functional.one_hot(target, classes).float()
    w = next(fit_path(x[None], y[None], [l2], "sigmoid" if classes == 2 else "softmax"))[0]
    sk = LogisticRegression(C=1 / (n * l2), tol=1e-8, max_iter=20_000).fit(x.double().numpy(), labels)
    oracle = torch.from_numpy(np.vstack([sk.coef_.T, sk.intercept_]))
    assert double_loss(w, x, y, l2) == pytest.approx(double_loss(oracle, x, y, l2), rel=1e-4)


def test_soft_activations_weigh_both_classes() -> None:
    # A frame of activation a is a positive of weight a and a negative of weight 1 - a.
    rng = np.random.default_rng(0)
    x = torch.from_numpy(StandardScaler().fit_transform(rng.normal(size=(500, 12)))).float()
    a = torch.sigmoid(x @ torch.from_numpy(rng.normal(size=12)).float() + 0.5)
    w = next(fit_path(x[None], a[None, :, None], [1e-2], "sigmoid"))[0]
    sk = LogisticRegression(C=1 / (500 * 1e-2), tol=1e-8, max_iter=5000)
    both, weight = np.vstack([x, x]), np.concatenate([a, 1 - a])
    sk.fit(both.astype(np.float64), np.repeat([1, 0], 500), sample_weight=weight)
    np.testing.assert_allclose(w[:, 0], np.append(sk.coef_, sk.intercept_), atol=5e-3)


# ---- nothing leaks


@pytest.mark.parametrize("kind", KINDS)
def test_selection_and_fit_never_see_test(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp_probe, "STEPS", 50)
    x, labels = embeddings(400, 8, 3)
    subset, test = whole(400)
    clean, poisoned = x.copy(), x.copy()
    poisoned[test[:-1]] = np.nan
    hidden = labels.copy()
    hidden[test] = -1
    (a,) = run_probe(kind, clean, labels, [subset], test, accuracy(labels))
    (b,) = run_probe(kind, poisoned, hidden, [subset], test, accuracy(labels))
    assert (a.chosen, a.val_score) == (b.chosen, b.val_score)
    assert np.isnan(b.outputs[:-1]).all()
    # Not bit by bit: scaler and product run in the same order, but NaN rows may take another kernel.
    np.testing.assert_allclose(a.outputs[-1], b.outputs[-1], rtol=1e-5)


def test_scaler_is_fitted_on_training_tracks_alone() -> None:
    x, labels = embeddings(400, 8, 3)
    subset, test = whole(400)
    moved = x.copy()
    moved[np.concatenate([subset.val, test])] += np.float32(3.0)
    (a,) = run_probe("linear", x, labels, [subset], test, prefer(2))
    (b,) = run_probe("linear", moved, labels, [subset], test, prefer(2))
    shift = b.outputs - a.outputs
    assert np.abs(shift).max() > 0.1  # a scaler that had seen them would have undone the shift
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:1], shift.shape), atol=1e-3)


def test_scale_and_offset_of_the_embedding_do_not_matter() -> None:
    x, labels = embeddings(400, 8, 3)
    subset, test = whole(400)
    (a,) = run_probe("linear", x, labels, [subset], test, prefer(3))
    (b,) = run_probe("linear", 1000 * x - 500, labels, [subset], test, prefer(3))
    np.testing.assert_allclose(a.outputs, b.outputs, atol=2e-2)


# ---- selection


@pytest.mark.parametrize("candidate", range(len(L2S)))
def test_the_candidate_that_validation_prefers_is_the_one_that_predicts(candidate: int) -> None:
    x, labels = embeddings(400, 8, 3)
    subset, test = whole(400)
    (result,) = run_probe("linear", x, labels, [subset], test, prefer(candidate))
    assert result.chosen == {"l2": L2S[candidate]}
    scaler = StandardScaler().fit(x[subset.train])
    sk = LogisticRegression(C=1 / (len(subset.train) * L2S[candidate]), tol=1e-8, max_iter=5000)
    expected = sk.fit(scaler.transform(x[subset.train]), labels[subset.train])
    ours = torch.from_numpy(result.outputs).softmax(-1)
    np.testing.assert_allclose(ours, expected.predict_proba(scaler.transform(x[test])), atol=0.02)


@pytest.mark.parametrize("score", [0.5, float("nan")])
def test_ties_and_undefined_scores_go_to_the_strongest_regularisation(score: float) -> None:
    x, labels = embeddings(100, 4, 3)
    subset, test = whole(100)
    (result,) = run_probe("linear", x, labels, [subset], test, lambda *_: score)
    assert result.chosen == {"l2": max(L2S)}


def test_the_draws_of_a_fraction_choose_together() -> None:
    """One draw prefers the strongest by a little, two another one by more; what is undefined has no say."""
    x, labels = embeddings(600, 8, 3)
    splits = places(600)
    subsets = draw_subsets(labels, splits, {0.2: 3, 1.0: 1}, seed=0)
    opinions = {0: {0: 0.6, 3: 0.5}, 1: {0: 0.2, 3: 0.9}, 2: {0: np.nan, 3: 0.4, 5: np.nan}}
    calls: dict[int, int] = {}

    def select(outputs: Floats, tracks: NDArray[np.int64]) -> float:
        (draw,) = (s.resample for s in subsets if np.array_equal(s.val, tracks))
        is_whole = len(tracks) == len(subsets[-1].val)
        candidate = calls[len(tracks) * 10 + draw] = calls.get(len(tracks) * 10 + draw, -1) + 1
        return float(candidate == 1) if is_whole else opinions[draw].get(candidate, 0.1)

    results = run_probe("linear", x, labels, subsets, np.flatnonzero(splits == "test"), select)
    assert [r.chosen["l2"] for r in results] == [L2S[3]] * 3 + [L2S[1]]
    assert [r.val_score for r in results] == [0.5, 0.9, 0.4, 1.0]


# ---- reproducibility


def test_linear_results_do_not_depend_on_the_batch() -> None:
    x, labels = embeddings(600, 16, 4)
    splits = places(600)
    subsets = draw_subsets(labels, splits, {0.05: 3, 0.5: 2, 1.0: 1}, seed=0)
    test = np.flatnonzero(splits == "test")

    def fit(some: list[Subset]) -> list[Floats]:
        results = run_probe("linear", x, labels, some, test, prefer(4))
        assert [r.subset for r in results] == some
        return [r.outputs for r in results]

    together = fit(subsets)
    assert all(np.array_equal(a, b) for a, b in zip(together, fit(subsets), strict=True))
    # Another batch rounds differently, and iterations stop at a tolerance: close, not bit-identical.
    for a, b in zip(together, reversed(fit(subsets[::-1])), strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)
    for a, subset in zip(together, subsets, strict=True):
        np.testing.assert_allclose(a, fit([subset])[0], atol=0.02)


def test_mlp_results_are_bit_identical_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp_probe, "STEPS", 50)
    x, labels = embeddings(300, 8, 3)
    splits = places(300)
    subsets = draw_subsets(labels, splits, {0.3: 3}, seed=0)
    test = np.flatnonzero(splits == "test")

    def fit(some: list[Subset], seed: int = 0) -> list[Floats]:
        results = run_probe("mlp", x, labels, some, test, lambda *_: 0.5, seed=seed)
        return [r.outputs for r in results]

    together = fit(subsets)
    assert all(np.array_equal(a, b) for a, b in zip(together, reversed(fit(subsets[::-1])), strict=True))
    assert all(np.array_equal(a, fit([s])[0]) for a, s in zip(together, subsets, strict=True))
    assert not np.array_equal(together[0], fit(subsets, seed=1)[0])


def test_frames_beyond_the_cap_are_sampled_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TRAIN_ROWS", 400)
    monkeypatch.setattr(probe, "FINAL_ROWS", 500)
    x, labels = embeddings(100 * 30, 8, 2)
    y = labels.reshape(100, 30).astype(np.float32)
    subset, test = whole(100)

    def fit(seed: int) -> Floats:
        features = x.reshape(100, 30, 8)
        return run_probe("linear", features, y, [subset], test, prefer(2), seed=seed)[0].outputs

    np.testing.assert_array_equal(fit(0), fit(0))
    assert not np.allclose(fit(0), fit(1), atol=1e-3)
    monkeypatch.setattr(probe, "TRAIN_ROWS", 10_000)
    monkeypatch.setattr(probe, "FINAL_ROWS", 10_000)
    np.testing.assert_array_equal(fit(0), fit(1))


@pytest.mark.parametrize("cap", [1500, 10_000])
def test_classes_of_frames_are_solved_one_candidate_after_the_other_to_the_same_end(
    cap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all candidates at once are: the same is chosen, and says the same, whether it learns from more or not."""
    monkeypatch.setattr(probe, "TRAIN_ROWS", cap)
    monkeypatch.setattr(probe, "FINAL_ROWS", 2 * cap)
    x, labels = embeddings(150 * 40, 16, 24)
    features, tracks, counted = Features.of(x.reshape(150, 40, 16)), np.arange(150), list[float]()
    test = tracks[places(150) == "test"]
    subsets = draw_subsets(np.zeros(150, np.int64), places(150), {0.1: 3, 1.0: 1}, seed=0)

    def right(outputs: list[Floats], chosen: NDArray[np.int64]) -> float:
        counted.append(float(np.mean(np.stack(outputs).argmax(2) == labels.reshape(150, 40)[chosen])))
        return counted[-1]

    targets = Targets(labels, 24, "softmax")
    at_once = list(probe.run_probe("linear", features, targets, subsets, test, right))
    asked = len(counted)
    path = list(probe.run_probe("linear", features, replace(targets, of_frames=True), subsets, test, right))
    assert len(counted) - asked <= asked, "the weakest may not be tried"
    for one, other in zip(at_once, path, strict=True):
        assert one.subset is other.subset
        assert one.val_score == pytest.approx(other.val_score, abs=0.01)
        scores = [right(result.outputs, test) for result in (one, other)]
        assert scores[0] == pytest.approx(scores[1], abs=0.015)


def test_a_path_ends_where_each_problem_alone_does() -> None:
    x, labels = embeddings(2000, 16, 9)
    rows = torch.from_numpy((x - x.mean(0)) / x.std(0))[None]
    targets = functional.one_hot(torch.from_numpy(labels), 9).float()[None]
    alone = [next(fit_path(rows, targets, [l2], "softmax"))[0] for l2 in L2S]
    path = torch.cat(list(fit_path(rows, targets, L2S, "softmax")))
    again = next(fit_path(rows, targets, L2S[4:5], "softmax", path[None, 4]))[0]
    for one, other in [*zip(alone, path, strict=True), (alone[4], again)]:
        says, said = (torch.log_softmax(rows[0] @ w[:-1] + w[-1], 1) for w in (one, other))
        assert (says - said).abs().mean() < 0.03
        loss, lost = (-(targets[0] * said).sum(1).mean() for said in (says, said))
        assert float(loss) == pytest.approx(float(lost), rel=1e-3)


def test_what_is_chosen_on_some_frames_then_learns_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is scikit-learn's on all rows, whichever part of them decided."""
    x, labels = embeddings(100 * 30, 8, 2)
    frames, subset, test = x.reshape(100, 30, 8), *whole(100)

    def fit(rows: int) -> Floats:
        monkeypatch.setattr(probe, "TRAIN_ROWS", rows)
        targets = Targets(labels[:, None].astype(np.float32), 1, "squares")
        candidates = iter(range(10_000))
        (found,) = probe.run_probe(
            "linear", Features.of(frames), targets, [subset], test, lambda *_: float(next(candidates) == 3)
        )
        return np.stack(found.outputs)

    few, every = fit(200), fit(10_000)
    rows = frames[subset.train].reshape(-1, 8)
    scaler = StandardScaler().fit(rows)
    oracle = Ridge(alpha=len(rows) * L2S[3]).fit(scaler.transform(rows), labels.reshape(100, 30)[subset.train].ravel())
    expected = oracle.predict(scaler.transform(frames[test].reshape(-1, 8))).reshape(len(test), 30)
    np.testing.assert_allclose(few, expected, atol=1e-3)
    np.testing.assert_allclose(few, every, atol=1e-5)


def test_a_memory_map_is_read_like_an_array(tmp_path: Path) -> None:
    x, labels = embeddings(100 * 7, 5, 2)
    frames, y = x.reshape(100, 7, 5).astype(np.float16), labels.reshape(100, 7).astype(np.float32)
    np.save(tmp_path / "x.npy", frames)
    subset, test = whole(100)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    (a,) = run_probe("linear", mapped, y, [subset], test, accuracy(y))
    (b,) = run_probe("linear", frames, y, [subset], test, accuracy(y))
    np.testing.assert_array_equal(a.outputs, b.outputs)


# ---- corners


@pytest.mark.parametrize("kind", KINDS)
def test_constant_features_give_the_class_prior(kind: Kind) -> None:
    labels = np.random.default_rng(0).choice(3, p=[0.2, 0.7, 0.1], size=400)
    subset, test = whole(400)
    x = np.zeros((400, 1), np.float32)
    (result,) = run_probe(kind, x, labels, [subset], test, accuracy(labels))
    assert (result.outputs.argmax(1) == 1).all()
    if kind == "linear":
        prior = np.bincount(labels[subset.train]) / len(subset.train)
        np.testing.assert_allclose(torch.from_numpy(result.outputs[0]).softmax(-1), prior, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_dimension_changes_nothing_else(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp_probe, "STEPS", 50)
    x, labels = embeddings(200, 4, 3)
    subset, test = whole(200)
    dead = np.hstack([x, np.full((200, 1), 0.1, np.float32)])
    (result,) = run_probe(kind, dead, labels, [subset], test, accuracy(labels))
    assert np.isfinite(result.outputs).all()
    if kind == "linear":
        (alive,) = run_probe(kind, x, labels, [subset], test, accuracy(labels))
        np.testing.assert_allclose(result.outputs, alive.outputs, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_absent_from_the_subset_keeps_its_column_and_is_not_predicted(kind: Kind) -> None:
    x, labels = embeddings(300, 6, 4)
    subset, test = whole(300)
    train, val = (t[labels[t] != 3] for t in (subset.train, subset.val))
    (result,) = run_probe(kind, x, labels, [Subset(0.5, 0, train, val)], test, accuracy(labels))
    assert result.outputs.shape == (len(test), 4)
    assert np.isfinite(result.outputs).all()
    assert (result.outputs.argmax(1) != 3).mean() > 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_training_track_predicts_its_class(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp_probe, "STEPS", 100)
    x, labels = embeddings(60, 6, 4)
    subset, test = whole(60)
    one = Subset(0.01, 0, subset.train[:1], subset.val[:1])
    (result,) = run_probe(kind, x, labels, [one], test, prefer(1))
    assert np.isfinite(result.outputs).all()
    # All dimensions have zero variance here: only the bias of a linear probe has learnt anything.
    if kind == "linear":
        assert (result.outputs.argmax(1) == labels[subset.train[0]]).all()


def test_frames_without_any_positive_stay_finite_and_negative() -> None:
    x, _ = embeddings(40 * 9, 5, 2)
    subset, test = whole(40)
    y = np.zeros((40, 9), np.float32)
    (result,) = run_probe("linear", x.reshape(40, 9, 5), y, [subset], test, accuracy(y))
    assert np.isfinite(result.outputs).all()
    assert (result.outputs < 0).all()


def test_mlp_solves_what_a_linear_probe_cannot() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    subset, test = whole(1000)
    score = {
        kind: accuracy(labels)(run_probe(kind, x, labels, [subset], test, accuracy(labels))[0].outputs, test)
        for kind in KINDS
    }
    assert score["linear"] < 0.65
    assert score["mlp"] > 0.95


@pytest.mark.parametrize("n_test", [1, 63, 64, 65])
@pytest.mark.parametrize("frames", [1, 256])
def test_every_test_track_is_scored_once_and_in_order(n_test: int, frames: int) -> None:
    # 256 frames: 64 tracks fill a chunk exactly. The one feature is the answer, so order shows in the sign.
    y = np.random.default_rng(0).integers(2, size=(40 + 65, frames)).astype(np.float32)
    test = 40 + np.random.default_rng(1).permutation(65)[:n_test]
    subset = Subset(1.0, 0, np.arange(30), np.arange(30, 40))
    (result,) = run_probe("linear", y[..., None], y, [subset], test, accuracy(y))
    assert result.outputs.dtype == np.float32
    np.testing.assert_array_equal(result.outputs > 0, y[test] > 0.5)


def test_nan_embeddings_are_refused() -> None:
    x, labels = embeddings(60, 4, 2)
    subset, test = whole(60)
    x[subset.train[3], 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        run_probe("linear", x, labels, [subset], test, accuracy(labels))
