"""An encoder as it is read out: statistics settled, weights in a file. Who does no more waits for no trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.audio.waveforms import Waveforms
from benchmark.files import replacing
from benchmark.modules import Encoder, Strategy
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream, to_batch


def weights_file(share: float = 1.0) -> str:
    """The file of an encoder's weights after a share of its pre-training."""
    return "encoder.safetensors" if share == 1 else f"encoder-{share:g}.safetensors"


def save_encoder(encoder: Encoder, path: Path) -> None:
    """Write an encoder's weights and statistics."""
    with replacing(path) as draft:
        save_file({name: x.detach().cpu().contiguous() for name, x in encoder.state_dict().items()}, draft)


def settle(strategy: Strategy, waves: Waveforms, batch_size: int, seed: int, device: str) -> None:
    """Settle an untrained encoder's statistics, as those of a trained one are, on crops of the same tracks.

    Where in a track a crop begins depends on how many of it a strategy hears, so that the crops are not the same.
    """
    config = PretrainConfig(crops=1, batch_size=batch_size)  # crops are drawn step by step, whatever the budget
    settle_statistics(strategy.encoder, CropStream(waves, strategy.crops(strategy.config), config, seed), device)


@torch.no_grad()
def settle_statistics(encoder: Encoder, stream: CropStream, device: str, batches: int = 20) -> None:
    """Estimate BatchNorm's running statistics anew, on crops as they are.

    They are what an encoder is read out with. After training they describe augmented, masked or separated views, some
    strategies' far more than others' (masked ones: variances five times off), which would be compared as well.
    """
    norms = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
    encoder.to(device).train()
    for t in range(batches if norms else 0):
        encoder(to_batch(stream.step(t, mixed=True)).crops[:, 0].to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
