"""PESTO: what the network says of a transposed sound is what it said, transposed (Riou et al. 2023)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from benchmark.audio.augment import chosen, uniform
from benchmark.interfaces import Config, Info
from benchmark.modules import Batch, Crops, PitchEncoder, Strategy
from strategies.equivariance import agreement, aligned, pitch_ratio
from strategies.transposition import Toeplitz, bins_from

VIEWS = ("plain", "distorted", "shifted")


class PESTOConfig(Config):
    """Options of PESTO, whose authors train it on single voices.

    Attributes:
        sources: stems to hear, one of them per batch, in place of the mixture.
        frames: how many of a crop's frames are compared, one after the other; the paper draws single ones.
        reach: the largest transposition, in semitones; it is rounded down to bins.
        semitones: of the output, which is wider than the input, since where it puts a pitch is learned.
        distorted: share of the views that get noise, and share of those that get another contrast.
        noise: its deviation beside that of the view's log spectrogram.
        contrast: factor of the view's log spectrogram.
        threshold: where the equivariance loss turns from quadratic to linear.
        memory: of the gradient norms that weigh the three losses, per step.
    """

    sources: tuple[str, ...] = ()
    seconds: float = Field(default=3.0, gt=0)
    frames: int = Field(default=16, ge=1)
    reach: float = Field(default=5.5, gt=0)
    semitones: int = Field(default=128, ge=1)
    distorted: float = Field(default=0.3, ge=0, le=1)
    noise: tuple[float, float] = (0.1, 2.0)
    contrast: tuple[float, float] = (0.5, 1.5)
    threshold: float = Field(default=2 ** (1 / 6) - 1, gt=0)
    memory: float = Field(default=0.999, ge=0, lt=1)


class PESTO(Strategy):
    """Three views of each crop's frames: as they are, distorted, and distorted and transposed by a known step.

    Each loss is weighted by 1 minus its share of the gradient norms at the last layer, so that none drowns the others.
    """

    info = Info("pesto", "PESTO (pitch equivariance)", "Riou et al. 2023", version=2)
    family = "equivariant"
    Config = PESTOConfig
    # set by hand, not searched: at 1e-3 outputs stay flat for the first 3,000 crops of rendered scores
    learning_rate = 3e-3
    needs = frozenset({"log_frequency"})
    encoder: PitchEncoder
    gradients: Tensor

    def __init__(self, encoder: PitchEncoder, config: PESTOConfig) -> None:
        super().__init__(encoder, config)
        self.reach = int(config.reach * encoder.bins_per_semitone)
        bins = encoder.features(torch.zeros(1, encoder.sample_rate)).shape[1]
        outputs = config.semitones * encoder.bins_per_semitone
        self.toeplitz = Toeplitz(encoder.channels, bins - 2 * self.reach, outputs)
        self.register_buffer("gradients", torch.tensor([1.0, 0.0, 1.0]))  # the released code's start
        self._seen = self.gradients

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """One crop, of the mixture or of a stem."""
        return Crops(count=1, seconds=config.seconds, sources=config.sources)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features of the three views, (B, bins - 2 reach, frames) each, and the steps of the third, (B,)."""
        n, device = len(batch.crops), generator.device
        features = self.encoder.features(sounding(batch)[:, 0])
        features = self._some_frames(features, torch.rand(n, generator=generator, device=device))
        steps = torch.randint(-self.reach, self.reach + 1, (n,), generator=generator, device=device)
        plain, shifted = (bins_from(features, self.reach - k, self.toeplitz.inside) for k in (0 * steps, steps))
        views = {"distorted": self._distorted(plain, generator), "shifted": self._distorted(shifted, generator)}
        return {"plain": plain, **views, "steps": steps}

    def _some_frames(self, features: Tensor, where: Tensor) -> Tensor:
        count = min(self.config.frames, features.shape[2])
        start = (where * (features.shape[2] - count + 1)).long()
        return bins_from(features.transpose(1, 2), start, count).transpose(1, 2)

    def _distorted(self, x: Tensor, generator: torch.Generator) -> Tensor:
        n = len(x)
        config: PESTOConfig = self.config
        level = chosen(n, config.distorted, generator) * uniform(n, *config.noise, generator)
        white = torch.randn(x.shape, generator=generator, device=x.device)
        x = x + level[:, :, None] * x.std(dim=(1, 2), keepdim=True) * white
        factor = torch.where(chosen(n, config.distorted, generator), uniform(n, *config.contrast, generator), 1.0)
        return x * factor[:, :, None]

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Pitch maps of each view's frames, (B, frames, channels, bins), and the steps."""
        maps = self.encoder.pitch_maps(torch.cat([views[name] for name in VIEWS]))
        frames = maps.permute(0, 3, 1, 2).chunk(len(VIEWS))
        return {**dict(zip(VIEWS, frames, strict=True)), "steps": views["steps"]}

    def pitches(self, maps: Tensor) -> Tensor:
        """(..., channels, bins) to a distribution over pitch, (..., outputs), which is up to an offset absolute."""
        with torch.autocast(maps.device.type, enabled=False):
            return torch.softmax(self.toeplitz(maps.float()), dim=-1)

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Invariance, shifted cross-entropy and equivariance, weighted."""
        plain, distorted, shifted = (self.pitches(embeddings[name]).flatten(0, 1) for name in VIEWS)
        steps = embeddings["steps"].repeat_interleave(embeddings["plain"].shape[1])
        octave = 12 * self.encoder.bins_per_semitone
        losses = {
            "invariance": either_way(plain, distorted),
            "shift": either_way(*aligned(distorted, shifted, steps, self.reach)),
            "equivariance": pitch_ratio(distorted, shifted, steps, octave, self.config.threshold),
        }
        self._see(list(losses.values()))
        weights = 1 - self.gradients / self.gradients.sum()
        return {"loss": (weights * torch.stack(list(losses.values()))).sum(), **losses}

    def _see(self, losses: list[Tensor]) -> None:
        """Note each loss's gradient norm at the last layer."""
        if torch.is_grad_enabled():
            weight = self.toeplitz.weight
            norms = [torch.autograd.grad(loss, weight, retain_graph=True)[0].norm() for loss in losses]
            self._seen = torch.stack(norms).detach()

    def after_step(self, step: int, total: int) -> None:
        """Move the gradient norms that the weights follow, after each optimizer step."""
        self.gradients.lerp_(self._seen, 1 - self.config.memory)


def sounding(batch: Batch) -> Tensor:
    """The crops, (B, count, T); those of tracks that sound, once more, in place of those that are silent."""
    first = (~batch.active).int().argsort(stable=True)
    return batch.crops[first[torch.arange(len(first), device=first.device) % batch.active.sum().clamp(min=1)]]


def either_way(a: Tensor, b: Tensor) -> Tensor:
    """Each distribution agrees with the other, as it is."""
    return (agreement(a, b) + agreement(b, a)) / 2
