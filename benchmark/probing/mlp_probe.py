"""The MLP probe: one hidden layer, a fixed number of minibatch AdamW steps, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.probing.layers import Loss, forward, row_loss

HIDDEN, STEPS, BATCH, CHECK_EVERY = 512, 200, 128, 20


def fit_mlp(
    x: Tensor,
    y: Tensor,
    x_val: Tensor,
    y_val: Tensor,
    grid: list[tuple[float, float]],
    seeds: list[int],
    kind: Loss,
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
        kind: the loss.

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
        loss = row_loss(forward(layers, xb[:, None]), yb[:, None], kind).mean(-1).sum()
        _step(optimizer, torch.autograd.grad(loss, layers), t)
        if (t + 1) % CHECK_EVERY == 0:
            lowest = _keep_best(layers, best, lowest, x_val, y_val, kind)
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
def _keep_best(layers: list[Tensor], best: list[Tensor], lowest: Tensor, x: Tensor, y: Tensor, kind: Loss) -> Tensor:
    """Copy the layers of the candidates that improved; return the lowest validation losses, (S, H)."""
    loss = row_loss(forward(layers, x[:, None]), y[:, None], kind).mean(-1)
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
