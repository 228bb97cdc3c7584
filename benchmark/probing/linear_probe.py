"""The linear probe: logistic regression, solved by one batched L-BFGS, or ridge regression in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probing.layers import Loss, residual, row_loss

HISTORY, MAX_EVALUATIONS = 10, 400
#: stop when the predicted decrease of the loss, relative to the loss, is below this
TOLERANCE = 1e-5
#: differences of a float32 loss below this share of it are rounding
NOISE = 1e-6
#: numbers that stay in a core's cache, and rows that a matrix product needs to be worth it
CACHED, LEAST_ROWS = 2**18, 128
#: a class that is hardly there has hardly any curvature: its steps are no longer than those of one in this many rows
RARE = 1e-4


def fit_linear(x: Tensor, y: Tensor, l2s: list[float], kind: Loss) -> Tensor:
    """Minimise the mean loss of the rows + l2 / 2 * |W|^2 (bias free) for every subset and every l2.

    The rows are rotated to their principal axes, where the Hessian is nearly diagonal: their spectrum, times
    the mean variance of each column's predictions, plus l2. Refreshed at every step, that preconditions L-BFGS,
    which starts from what the labels say without the rows: a rare class would need dozens of steps to get there.
    (Boehning's constant bound in its place, 1992, takes two to seven times the evaluations.) Fewer rows than
    dimensions leave only as many axes, so that small fractions cost next to nothing.

    Args:
        x: (S, n, D) standardised float32 rows.
        y: (S, n, C) targets.
        l2s: L regularisations, all positive.
        kind: the loss.

    Returns:
        (S, L, D + 1, C) weights, the bias last.
    """
    x, basis = _principal_axes(x)
    l2 = torch.tensor(l2s, device=x.device)[None, :, None].expand(len(x), -1, -1)
    solve = _ridge if kind == "squares" else partial(_minimise, kind=kind)
    w = solve(x, y, l2).view(*l2.shape[:2], -1, y.shape[-1])
    return torch.cat([basis[:, None] @ w[..., :-1, :], w[..., -1:, :]], -2)


def fit_path(
    x: Tensor,
    y: Tensor,
    l2s: Iterable[float],
    kind: Loss,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
) -> Iterator[Tensor]:
    """What `fit_linear` minimises, one l2 after the other, each from where the last one ended: for much data.

    Where a solution takes many steps, the next one, ten times less regularized, takes a few from there; and whoever has
    heard enough stops asking.

    Args:
        x: (S, n, D) standardised float32 rows; if there is a `start`, no fewer than dimensions.
        y: (S, n, C) targets.
        l2s: from strong to weak.
        kind: the loss, but squares.
        start: (S, D + 1, C) weights that are near the first solution.
        tolerance: see `TOLERANCE`.

    Yields:
        (S, D + 1, C) weights, the bias last, for each l2.
    """
    x, basis = _principal_axes(x)
    theta = None if start is None else torch.cat([basis.mT @ start[:, :-1], start[:, -1:]], 1).flatten(1)[:, None]
    for l2 in l2s:
        theta = _minimise(x, y, x.new_full((len(x), 1, 1), l2), kind, theta, tolerance)
        w = theta.view(len(x), -1, y.shape[-1])
        yield torch.cat([basis @ w[:, :-1], w[:, -1:]], 1)


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


def _ridge(x: Tensor, y: Tensor, l2: Tensor) -> Tensor:
    """(S, L, R + 1, C): along principal axes of centered rows each weight has a quotient of its own."""
    mean = y.mean(1, keepdim=True)
    products = (x.mT @ (y - mean) / x.shape[1])[:, None]
    w = products / (x.square().mean(1)[:, None, :, None] + l2[..., None])
    return torch.cat([w, mean[:, None].expand(-1, w.shape[1], -1, -1)], -2)


def _objective(x: Tensor, y: Tensor, theta: Tensor, l2: Tensor, kind: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """Loss (S, L, 1), gradient (S, L, K) and mean variance of the predictions (S, L, C) at theta (S, L, K).

    K = (R + 1) * C; one matrix product serves all L, and on a CPU so few rows that their outputs stay in its cache.
    """
    (s, n, _), c, count = x.shape, y.shape[-1], l2.shape[1]
    w = theta.view(s, count, -1, c).transpose(1, 2).flatten(2)
    grad, loss, variance = torch.zeros_like(w), x.new_zeros(s, count), x.new_zeros(s, count, c)
    for subsets, rows in _blocks(s, n, count * c, x.is_cuda):
        part, told = x[subsets, rows], y[subsets, rows, None]
        z = torch.unflatten(torch.baddbmm(w[subsets, -1:], part, w[subsets, :-1]), 2, (count, c))
        slope, curvature = residual(z, told, kind)
        loss[subsets] += row_loss(z, told, kind).sum(1)
        variance[subsets] += curvature.sum(1)
        slope = slope.flatten(2)
        grad[subsets, :-1].baddbmm_(part.mT, slope)
        grad[subsets, -1] += slope.sum(1)
    grad = (grad / n).view(s, -1, count, c).transpose(1, 2).flatten(2)
    weights = torch.cat([theta[..., :-c], torch.zeros_like(theta[..., -c:])], -1)
    penalty = l2 / 2 * weights.square().sum(-1, keepdim=True)
    return (loss / n)[..., None] + penalty, grad + l2 * weights, variance / n


def _blocks(subsets: int, rows: int, outputs: int, whole: bool) -> Iterator[tuple[slice, slice]]:
    """What is computed at once, of `outputs` per row: a part of a subset, or several small subsets, or all of them."""
    at_once = subsets * rows if whole else max(LEAST_ROWS, CACHED // outputs)
    together = max(1, at_once // rows)
    for i in range(0, subsets, together):
        for j in range(0, rows, at_once):
            yield slice(i, i + together), slice(j, j + at_once)


@dataclass
class _State:
    """L-BFGS on S x L independent problems; every field is (S, L, ...), or a list of such: pairs, the oldest first."""

    l2: Tensor
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

    def take(self, keep: Tensor) -> _State:
        """Keep some of the L problems."""
        kept: list[Any] = []
        for field in fields(self):
            value = getattr(self, field.name)
            kept.append([pair[:, keep] for pair in value] if isinstance(value, list) else value[:, keep])
        return _State(*kept)


def _minimise(
    x: Tensor, y: Tensor, l2: Tensor, kind: Loss, theta: Tensor | None = None, tolerance: float = TOLERANCE
) -> Tensor:
    """Minimise, from and to theta (S, L, K); an l2 that has converged on all subsets leaves the batch."""
    state = _start(x, y, l2, kind, theta)
    result, left = state.theta.clone(), torch.arange(l2.shape[1], device=x.device)
    for _ in range(MAX_EVALUATIONS):
        found = _objective(x, y, state.theta + state.step * state.direction, state.l2, kind)
        _advance(state, *found, tolerance)
        result[:, left] = state.theta
        keep = ~state.done.all(0)[:, 0]
        if not keep.any():
            break
        if not keep.all():
            state, left = state.take(keep), left[keep]
    return result


def _start(x: Tensor, y: Tensor, l2: Tensor, kind: Loss, theta: Tensor | None = None) -> _State:
    """By default weights of zero, biases that predict how often each column is true; and the first direction."""
    axes = functional.pad(x.square().mean(1), (0, 1), value=1.0).repeat_interleave(y.shape[-1], -1)
    if theta is None:
        known, c = ~y.isnan(), y.shape[-1]
        share = (y.nansum(1) + 0.5) / (known.sum(1) + 1)
        theta = torch.zeros_like(axes)
        theta[:, -c:] = share.log() if kind == "softmax" else share.logit()
        theta = theta[:, None].repeat(1, l2.shape[1], 1)
    loss, grad, variance = _objective(x, y, theta, l2, kind)
    one = torch.ones_like(l2)
    state = _State(
        *(l2, axes[:, None].expand_as(theta), theta, loss, grad, variance, theta, one, one < 0),
        *([torch.zeros_like(like) for _ in range(HISTORY)] for like in (theta, theta, one)),
    )
    state.direction = _direction(state)
    return state


def _advance(st: _State, loss: Tensor, grad: Tensor, variance: Tensor, tolerance: float) -> None:
    """Accept or shorten each problem's step, given the objective at its end; no problem waits for another."""
    slope = (st.grad * st.direction).sum(-1, keepdim=True)
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
    decrease = -(st.grad * st.direction).sum(-1, keepdim=True)
    st.done = st.done | (decrease <= tolerance * st.loss.clamp_min(1e-3)) | (st.step < 1e-6)


def _remember(st: _State, accept: Tensor, s: Tensor, y: Tensor) -> None:
    """Append a pair to the histories that took the step, unless rounding hides its curvature.

    Most problems do, so all histories move on by one, which costs nothing, and those of the others back again. What is
    done needs no direction: its history may say anything. `s` and `y` are written to.
    """
    sy = (s * y).sum(-1, keepdim=True)
    push = accept & (sy > 1e-6 * s.norm(dim=-1, keepdim=True) * y.norm(dim=-1, keepdim=True))
    still = (~(push | st.done)[..., 0]).nonzero(as_tuple=True)  # found once: as a mask, by each of all the pairs
    for history, new in ((st.s, s), (st.y, y), (st.rho, sy.reciprocal())):
        kept = [pair[still] for pair in history] if len(still[0]) else []
        history[:] = [*history[1:], new]
        for pair, own in zip(history, kept, strict=False):
            pair[still] = own


def _direction(st: _State) -> Tensor:
    """Two-loop recursion; an empty slot has rho = 0 and changes nothing."""
    q, alphas = st.grad.clone(), []
    for k in reversed(range(HISTORY)):
        alphas.append(st.rho[k] * (st.s[k] * q).sum(-1, keepdim=True))
        q -= alphas[-1] * st.y[k]
    columns = st.variance.clamp_min(RARE).repeat(1, 1, st.theta.shape[-1] // st.variance.shape[-1])
    scale = (columns * st.spectrum + st.l2).reciprocal()
    last = st.rho[-1] * (scale * st.y[-1].square()).sum(-1, keepdim=True)
    q = q * scale * torch.where(last > 0, last.reciprocal(), torch.ones_like(last))
    for k in range(HISTORY):
        beta = st.rho[k] * (st.y[k] * q).sum(-1, keepdim=True)
        q += (alphas.pop() - beta) * st.s[k]
    return -q
