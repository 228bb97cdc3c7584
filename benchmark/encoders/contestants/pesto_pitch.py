"""PESTO (Riou et al. 2023, 2025) as released: a network that learned f0 from transpositions, without labels.

`strategies/pesto.py` is the pretext task, to be trained here; this is what its authors trained with it.
"""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from benchmark.encoders.contestants.contestant import SAMPLE_RATE, Contestant
from benchmark.interfaces import Info

HOP_MS, HOP = 40.0, 640
#: of its pitch posterior: a third of a semitone each
BINS = 384
CHECKPOINT = "mir-1k_g7.ckpt"


class PESTOPitch(Contestant):
    """0.13 M parameters, 25 frames/s: pitch posterior, confidence that there is one, and level; 386 dimensions."""

    info = Info("pesto_pitch", "PESTO as released", "Riou et al. 2023, 2025, weights of pesto-pitch")
    package = "pesto-pitch"
    embedding_dim = BINS + 2
    frame_rate = SAMPLE_RATE / HOP
    shortest = 2049  # it mirrors half a kernel at either end

    def __init__(self) -> None:
        super().__init__()
        from pesto.data import Preprocessor
        from pesto.model import PESTO, Resnet1d

        made = _checkpoint()
        options = made["hparams"]
        heard = Preprocessor(hop_size=HOP_MS, sampling_rate=SAMPLE_RATE, **made["hcqt_params"])
        self.network = PESTO(Resnet1d(**options["encoder"]), heard, options["pitch_shift"], options["reduction"])
        lacking = self.network.load_state_dict(made["state_dict"], strict=False).missing_keys
        # the constant-Q kernels follow from the options; with anything else lacking it would not be their network
        if not all(name.startswith("preprocessor.") for name in lacking):
            raise RuntimeError(f"pesto-pitch: {CHECKPOINT} does not fit its network; it lacks {', '.join(lacking)}")

    def features(self, waveform: Tensor) -> Tensor:
        """Constant-Q spectrogram in dB, (B, 251, frames), three bins a semitone."""
        spectrogram: Tensor = self.network.preprocessor(waveform)
        return spectrogram[:, :, 0].transpose(1, 2)

    def body(self, features: Tensor) -> Tensor:
        """(B, 251, F) to (B, F, 386), each frame on its own."""
        x = features.transpose(1, 2).reshape(-1, 1, features.shape[1])
        energy = 10 ** (x[:, 0] / 10)
        confidence, level = self.network.confidence(energy), energy.sum(dim=1).clamp(min=1e-10).log10()
        posterior = self.network.encoder(self.network.crop_cqt(x))
        semitones = round(float(self.network.shift) * self.network.bins_per_semitone)  # which bin is which pitch
        made = torch.cat([posterior.roll(-semitones, -1), confidence[:, None], level[:, None]], dim=1)
        return made.reshape(len(features), -1, self.embedding_dim)


def _checkpoint() -> dict[str, Any]:
    """The released weights and options: nothing is unpickled but tensors and the containers of those options."""
    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode

    options: list[Any] = [DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode, Any, defaultdict]
    with (
        (files("pesto") / "weights" / CHECKPOINT).open("rb") as file,
        torch.serialization.safe_globals([*options, dict, list, int]),
    ):
        found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return found
