"""LARS: the optimizer of SimCLR's and Barlow Twins' large batches (You, Gitman & Ginsburg 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT


class LARS(torch.optim.Optimizer):
    """SGD with momentum whose step length is, layer by layer, a share `eta` of the layer's norm.

    An adapted layer w with gradient g moves along u = g + weight_decay * w, scaled by the trust ratio
    eta * |w| / |u| (1 where either norm is 0); norms, biases and groups without weight decay are not adapted, and norms
    and biases do not decay, as in SimCLR and Barlow Twins. The momentum is torch.optim.SGD's: v = momentum * v + u,
    w = w - lr * v, with the rate outside of v. The 2017 paper puts it inside, and adds the norms in the ratio's
    denominator: |g| + weight_decay * |w|.

    Args:
        params: parameters or groups.
        lr: learning rate; for a batch of B, 0.3 B / 256 (SimCLR) or 0.2 B / 256 (Barlow Twins) are usual.
        momentum: decay of the velocity.
        weight_decay: 0 makes a group plain SGD with momentum.
        eta: trust coefficient.

    Raises:
        ValueError: a negative option.

    Source: You et al. 2017, section 4; Chen et al. 2020, section 2.2; Zbontar et al. 2021, section 2.2.
    """

    def __init__(
        self, params: ParamsT, lr: float, momentum: float = 0.9, weight_decay: float = 0.0, eta: float = 0.001
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta}
        negative = [name for name, value in defaults.items() if value < 0]
        if negative:
            raise ValueError(f"LARS: {negative[0]} is {defaults[negative[0]]}; it must not be negative")
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move all parameters that have a gradient; `closure` evaluates the loss again, with gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            gradients = {p: p.grad for p in group["params"] if p.grad is not None}
            if gradients:
                self._descend(gradients, group)
        return loss

    def _descend(self, gradients: dict[Tensor, Tensor], group: dict[str, Any]) -> None:
        params = list(gradients)
        adapted = [p for p in params if p.ndim > 1 and group["weight_decay"] > 0]
        updates = gradients | _adapted({p: gradients[p] for p in adapted}, group["weight_decay"], group["eta"])
        for p in params:
            if "velocity" not in self.state[p]:
                self.state[p]["velocity"] = torch.zeros_like(p)
        velocities = [self.state[p]["velocity"] for p in params]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, [updates[p] for p in params])
        torch._foreach_add_(params, velocities, alpha=-group["lr"])


def _adapted(gradients: dict[Tensor, Tensor], weight_decay: float, eta: float) -> dict[Tensor, Tensor]:
    """The update u of each layer times its trust ratio, without a wait for the device."""
    if not gradients:
        return {}
    layers = list(gradients)
    updates = torch._foreach_add(list(gradients.values()), layers, alpha=weight_decay)
    size, length = torch.stack(torch._foreach_norm(layers)), torch.stack(torch._foreach_norm(updates))
    ratio = torch.where((size > 0) & (length > 0), eta * size / length, 1.0)
    return dict(zip(layers, torch._foreach_mul(updates, ratio.unbind()), strict=True))
