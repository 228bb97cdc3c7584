"""A batch whose graph does not fit into memory, in parts: the same gradient, for one forward pass more.

Adding up the parts' losses would be another pretext task: a contrast would find fewer negatives, and a covariance fewer
rows. So the whole batch is embedded part by part without a graph, the loss compares all embeddings, and its gradient at
each of them is carried back through a second pass over its part, now with a graph (Gao et al. 2021, "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup", section 3: gradient caching). It is exact for all that
embeds each row on its own, which a strategy's contract asks for: views and embeddings are (B, ...).

BatchNorm is the exception: it normalizes by its part, as it does by a rank's part where several CPUs share a batch,
and its running statistics move twice a step (they are estimated anew after training). Hence the record says how many
rows were embedded at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Rows = dict[str, Tensor]
Embed = Callable[[Rows], Rows]


class MicroBatches:
    """Embeddings of a batch in `parts`, whose gradient `backward` hands on to the network.

    Attributes:
        embeddings: of the whole batch, for the loss; leaves of its graph, so that their gradient is kept.
    """

    def __init__(self, embed: Embed, views: Rows, parts: int) -> None:
        """Embed `views`, (B, ...) each, in parts that differ by one row at most."""
        split = {name: view.tensor_split(parts) for name, view in views.items()}
        self._parts = [{name: pieces[i] for name, pieces in split.items()} for i in range(parts)]
        self._device = next(iter(views.values())).device
        self._random: list[Rows] = []
        embedded = []
        for part in self._parts:
            self._random.append(random_state(self._device))
            with torch.no_grad():
                embedded.append(embed(part))
        self._sizes = [len(next(iter(rows.values()))) for rows in embedded]
        self.embeddings = {name: torch.cat([rows[name] for rows in embedded]) for name in embedded[0]}
        for x in self.embeddings.values():
            x.requires_grad_(x.is_floating_point())

    def backward(self, embed: Embed) -> None:
        """Embed each part again, with a graph, and add the gradient of the network's parameters to theirs.

        To be called after the loss's own backward pass, under the precision of the first embedding.
        """
        after = random_state(self._device)
        gradients = {
            name: torch.split(x.grad, self._sizes) for name, x in self.embeddings.items() if x.grad is not None
        }
        for i, part in enumerate(self._parts):
            set_random_state(self._random[i], self._device)  # dropout drops what it dropped before
            rows = embed(part)
            # a teacher's rows have no graph, whatever the loss says of them
            names = [name for name in gradients if rows[name].requires_grad]
            torch.autograd.backward([rows[name] for name in names], [gradients[name][i] for name in names])
        set_random_state(after, self._device)


def random_state(device: torch.device) -> Rows:
    """The state of torch's own generators, of the CPU and of the GPU in use."""
    gpu = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **gpu}


def set_random_state(state: Rows, device: torch.device) -> None:
    """Take torch's own generators back to a `random_state`, as far as it tells of them."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
