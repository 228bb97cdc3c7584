"""The linear probe: logistic regression, solved by batched L-BFGS, or ridge regression in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probing.layers import Loss, descent

HISTORY, MAX_EVALUATIONS = 10, 400
#: stop when the predicted decrease of the loss is below this share of it, or of a hundred times this: a weak
#: regularization of rows that can be told apart leaves next to no loss, and the way there takes hundreds of steps
TOLERANCE = 1e-5
#: differences of a float32 loss below this share of it are rounding
NOISE = 1e-6
#: numbers that stay in a core's cache, and rows that a matrix product needs to be worth it
CACHED, LEAST_ROWS = 2**18, 128
#: a class that is hardly there has hardly any curvature: its steps are no longer than those of one in this many rows
RARE = 1e-4


def fit_path(
    x: Tensor,
    y: Tensor,
    l2s: Iterable[float],
    kind: Loss,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
) -> Iterator[Tensor]:
    """Minimise the mean loss of the rows + l2 / 2 * |W|^2 (bias free), one l2 after the other, for every subset.

    Each begins where the last one ended: a solution that takes many steps takes a few from one that is ten times more
    regularized; and whoever has heard enough stops asking.

    The rows are rotated to their principal axes, where the Hessian is nearly diagonal: their spectrum, times
    the mean variance of each column's predictions, plus l2. Refreshed at every step, that preconditions L-BFGS,
    which starts from what the labels say without the rows: a rare class would need dozens of steps to get there.
    (Boehning's constant bound in its place, 1992, takes two to seven times the evaluations.) Fewer rows than
    dimensions leave only as many axes, so that small fractions cost next to nothing.

    Args:
        x: (S, n, D) standardised float32 rows.
        y: (S, n, C) targets.
        l2s: regularizations, all positive, from strong to weak.
        kind: the loss, but squares.
        start: (S, D + 1, C) weights that are near the first solution.
        tolerance: see `TOLERANCE`.

    Yields:
        (S, D + 1, C) weights, the bias last, for each l2.
    """
    x, basis = _principal_axes(x)
    theta = None if start is None else torch.cat([basis.mT @ start[:, :-1], start[:, -1:]], 1)
    for l2 in l2s:
        theta = _minimise(x, y, l2, kind, theta, tolerance)
        yield torch.cat([basis @ theta[:, :-1], theta[:, -1:]], 1)


def fit_ridge(x: Tensor, y: Tensor, l2s: Iterable[float]) -> Tensor:
    """Minimise the mean squared error / 2 + l2 / 2 * |W|^2, bias free, for every subset and every l2: in closed form.

    Along principal axes of centered rows each weight has a quotient of its own.

    Args:
        x: (S, n, D) standardised float32 rows.
        y: (S, n, C) targets.
        l2s: L regularizations, all positive.

    Returns:
        (S, L, D + 1, C) weights, the bias last.
    """
    x, basis = _principal_axes(x)
    l2 = torch.tensor(list(l2s), device=x.device)[:, None, None]
    mean = y.mean(1, keepdim=True)
    products = (x.mT @ (y - mean) / x.shape[1])[:, None]
    w = products / (x.square().mean(1)[:, None, :, None] + l2)
    return torch.cat([basis[:, None] @ w, mean[:, None].expand(-1, len(l2), -1, -1)], -2)


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate (S, n, D) to (S, n, R), R = min(n, D), and return the basis, (S, D, R), too."""
    basis = None
    if x.shape[1] < x.shape[2]:
        basis, triangle = torch.linalg.qr(x.mT)
        x = triangle.mT
    axes = _eigenvectors(x.mT @ x)
    return x @ axes, axes if basis is None else basis @ axes


def _eigenvectors(products: Tensor) -> Tensor:
    """Of (S, R, R) symmetric matrices.

    Dimensions that hardly ever differ from zero, as a pitch posterior's, have many eigenvalues that are almost equal:
    there LAPACK's divide and conquer gives up in single precision, or returns NaN and says nothing.
    """
    try:
        axes: Tensor = torch.linalg.eigh(products).eigenvectors
    except RuntimeError:  # torch's LinAlgError is one
        axes = products.new_full((), torch.nan)
    if not torch.isfinite(axes).all():
        axes = torch.linalg.eigh(products.double()).eigenvectors.to(products.dtype)
    return axes


def _objective(x: Tensor, y: Tensor, theta: Tensor, l2: float, kind: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """Loss (S, 1, 1), gradient (S, R + 1, C) and mean variance of the predictions (S, 1, C) at theta (S, R + 1, C).

    On a CPU so few rows at once that their outputs stay in its cache.
    """
    (s, n, _), c = x.shape, y.shape[-1]
    grad, loss, variance = torch.zeros_like(theta), x.new_zeros(s, 1, 1), x.new_zeros(s, 1, c)
    for subsets, rows in _blocks(s, n, c, x.is_cuda):
        part = x[subsets, rows]
        z = torch.baddbmm(theta[subsets, -1:], part, theta[subsets, :-1])
        losses, slope, curvature = descent(z, y[subsets, rows], kind)
        loss[subsets, 0, 0] += losses
        variance[subsets, 0] += curvature
        grad[subsets, :-1].baddbmm_(part.mT, slope)
        grad[subsets, -1] += slope.sum(1)
    weights = functional.pad(theta[:, :-1], (0, 0, 0, 1))
    penalty = l2 / 2 * weights.square().sum((1, 2), keepdim=True)
    return loss / n + penalty, grad / n + l2 * weights, variance / n


def _blocks(subsets: int, rows: int, outputs: int, whole: bool) -> Iterator[tuple[slice, slice]]:
    """What is computed at once, of `outputs` per row: a part of a subset, or several small subsets, or all of them."""
    at_once = subsets * rows if whole else max(LEAST_ROWS, CACHED // outputs)
    together = max(1, at_once // rows)
    for i in range(0, subsets, together):
        for j in range(0, rows, at_once):
            yield slice(i, i + together), slice(j, j + at_once)


@dataclass
class _State:
    """L-BFGS on S independent problems; every field is (S, ., .), or a list of such: pairs, the oldest first."""

    l2: float
    spectrum: Tensor
    theta: Tensor
    loss: Tensor
    grad: Tensor
    variance: Tensor
    direction: Tensor
    step: Tensor
    done: Tensor
    s: list[Tensor]
    y: list[Tensor]
    rho: list[Tensor]


def _minimise(x: Tensor, y: Tensor, l2: float, kind: Loss, theta: Tensor | None, tolerance: float) -> Tensor:
    """Minimise, from and to theta (S, R + 1, C)."""
    state = _start(x, y, l2, kind, theta)
    for _ in range(MAX_EVALUATIONS):
        found = _objective(x, y, state.theta + state.step * state.direction, l2, kind)
        _advance(state, *found, tolerance)
        if state.done.all():
            break
    return state.theta


def _start(x: Tensor, y: Tensor, l2: float, kind: Loss, theta: Tensor | None) -> _State:
    """By default weights of zero, biases that predict how often each column is true; and the first direction."""
    spectrum = functional.pad(x.square().mean(1), (0, 1), value=1.0)[..., None]
    if theta is None:
        known = ~y.isnan()
        share = (y.nansum(1) + 0.5) / (known.sum(1) + 1)
        theta = spectrum.new_zeros(*spectrum.shape[:2], y.shape[-1])
        theta[:, -1] = share.log() if kind == "softmax" else share.logit()
    loss, grad, variance = _objective(x, y, theta, l2, kind)
    one = torch.ones_like(loss)
    state = _State(
        *(l2, spectrum, theta, loss, grad, variance, theta, one, one < 0),
        *([torch.zeros_like(like) for _ in range(HISTORY)] for like in (theta, theta, one)),
    )
    state.direction = _direction(state)
    return state


def _advance(st: _State, loss: Tensor, grad: Tensor, variance: Tensor, tolerance: float) -> None:
    """Accept or shorten each problem's step, given the objective at its end; no problem waits for another."""
    slope = _dot(st.grad, st.direction)
    move = st.step * st.direction
    accept = (loss <= st.loss + 1e-4 * st.step * slope + NOISE * st.loss) & ~st.done
    st.theta = torch.where(accept, st.theta + move, st.theta)
    _remember(st, accept, move, grad - st.grad)
    # Where it was too long: the minimum of the parabola through what is known.
    parabola = -slope * st.step.square() / (2 * (loss - st.loss - slope * st.step)).clamp_min(1e-30)
    shorter = torch.minimum(torch.maximum(parabola, 0.1 * st.step), 0.5 * st.step)
    st.loss, st.grad = torch.where(accept, loss, st.loss), torch.where(accept, grad, st.grad)
    st.variance = torch.where(accept, variance, st.variance)
    st.direction = torch.where(accept, _direction(st), st.direction)
    st.step = torch.where(accept, torch.ones_like(st.step), shorter)
    decrease = -_dot(st.grad, st.direction)
    st.done = st.done | (decrease <= tolerance * st.loss.clamp_min(100 * tolerance)) | (st.step < 1e-6)


def _remember(st: _State, accept: Tensor, s: Tensor, y: Tensor) -> None:
    """Append a pair to the histories that took the step, unless rounding hides its curvature.

    Most problems do, so all histories move on by one, which costs nothing, and those of the others back again. What is
    done needs no direction: its history may say anything. `s` and `y` are written to.
    """
    sy = _dot(s, y)
    push = accept & (sy > 1e-6 * (_dot(s, s) * _dot(y, y)).sqrt())
    still = (~(push | st.done)[:, 0, 0]).nonzero()[:, 0]  # found once: as a mask, by each of all the pairs
    for history, new in ((st.s, s), (st.y, y), (st.rho, sy.reciprocal())):
        kept = [pair[still] for pair in history] if len(still) else []
        history[:] = [*history[1:], new]
        for pair, own in zip(history, kept, strict=False):
            pair[still] = own


def _direction(st: _State) -> Tensor:
    """Two-loop recursion; an empty slot has rho = 0 and changes nothing."""
    q, alphas = st.grad.clone(), []
    for k in reversed(range(HISTORY)):
        alphas.append(st.rho[k] * _dot(st.s[k], q))
        q -= alphas[-1] * st.y[k]
    scale = (st.variance.clamp_min(RARE) * st.spectrum + st.l2).reciprocal()
    last = st.rho[-1] * _dot(st.y[-1], scale * st.y[-1])
    q = q * scale * torch.where(last > 0, last.reciprocal(), torch.ones_like(last))
    for k in range(HISTORY):
        beta = st.rho[k] * _dot(st.y[k], q)
        q += (alphas.pop() - beta) * st.s[k]
    return -q


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(S, 1, 1) products of each problem's (R + 1, C)."""
    products: Tensor = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return products[:, None, None]
