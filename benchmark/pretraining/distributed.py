"""Several processes share a batch: each embeds its part, and all compare the whole of it.

The trainer calls `shard` on the views and `gather` on the embeddings; strategies and losses know nothing of ranks.
Without torch.distributed, or alone in it, both return what they are given.

Why the gradient is right, without a factor. Let W ranks hold equal parts of a batch, z_r = f(p, x_r), and let each
compute the same global loss L(z_1, ..., z_W, q), where q are parameters that the loss itself uses. Every rank starts
its backward pass from its own copy of L, so `gather`, whose forward pass sends z_r to all W copies, must add up what
comes back from them: z_r receives sum_W dL/dz_r = W dL/dz_r, and p on rank r the gradient W (dz_r/dp)' dL/dz_r. DDP's
mean over the ranks is then sum_r (dz_r/dp)' dL/dz_r, the gradient of one process that holds the whole batch. Parameters
q get dL/dq on each rank, whose mean is dL/dq. A plain `all_gather` has no backward pass, and an `all_reduce` of
statistics neither: they lose the factor W, or the other ranks' terms.

What stays local on CPUs: BatchNorm inside encoder and heads normalizes by the part that a rank embeds; on GPUs it is
synchronized. The loss never does.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def shard(views: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of each (B, ...) tensor that this rank embeds: B / W rows in a row, so that `gather` restores the order.

    Every rank makes the views of the whole batch, from the same seed, and keeps its part: one process or eight hear the
    same views. That costs each rank the front end of all, which is small beside an encoder's forward and backward.

    Raises:
        ValueError: B is no multiple of the number of ranks, or the tensors differ in B.
    """
    world = world_size()
    if world == 1:
        return views
    sizes = {name: len(view) for name, view in views.items()}
    if len(set(sizes.values())) > 1 or any(size % world for size in sizes.values()):
        raise ValueError(f"views of {sizes} examples cannot be shared by {world} processes: use a multiple of {world}")
    return {name: view.chunk(world)[dist.get_rank()] for name, view in views.items()}


def gather(embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
    """The whole batch's embeddings on every rank: each (B / W, ...) tensor becomes (B, ...), in the order of ranks.

    Gradients flow back to the rank that a row came from (see above). Integers, masks, and tensors without gradient (a
    teacher's) are gathered as they are. All ranks must hold the same names and shapes.
    """
    if world_size() == 1:
        return embeddings
    return {name: _gather(x) if x.requires_grad else _all_rows(x) for name, x in embeddings.items()}


class _Gather(torch.autograd.Function):
    """Concatenation over ranks; its transpose is the sum over ranks, then the own rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_rows(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)  # reduced in place, and not ours to change
        dist.all_reduce(total)
        return total.chunk(world_size())[dist.get_rank()]


def _gather(x: Tensor) -> Tensor:
    apply: Any = _Gather.apply  # typed in some versions of torch alone
    whole: Tensor = apply(x)
    return whole


def _all_rows(x: Tensor) -> Tensor:
    x = x.detach().contiguous()
    parts = [torch.empty_like(x) for _ in range(world_size())]
    dist.all_gather(parts, x)
    return torch.cat(parts)


def world_size() -> int:
    """Processes that share a batch; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
