"""STONE: two crops of a track share a key signature, and a transposed one has it transposed (Kong et al. 2024).

With `mode`, also S-KEY's head for major and minor, taught by which of the two tonics is the louder (Kong et al. 2025).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.interfaces import Info
from benchmark.modules import Batch, PitchEncoder
from strategies.equivariance import cross_power, mode_balance, mode_cross_entropy, mode_labels
from strategies.losses import at_least_float32
from strategies.pairs import PairConfig, Pairs, Positives
from strategies.transposition import Circulant, bins_from, chroma
from strategies.views import Preset

#: turns round the 12 pitch classes after which neighbors on the circle meet
TURNS = {"fifths": 7, "semitones": 1}
VIEWS = ("a", "b", "transposed")


class STONEConfig(PairConfig):
    """Options of STONE; the released code augments nothing, and hears 15 s.

    Attributes:
        circle: on which the profiles are compared: neighbors are a fifth apart, or a semitone.
        octaves: that the network hears, in the paper 7 too; 12 transpositions have to fit beside them.
        hidden: channels between the two layers of the head.
        mode: whether each mode has a profile of its own, as in S-KEY.
        mode_weight: of the modes' cross-entropy beside the key signature's losses (S-KEY: 1.5).
        balance_weight: of the loss that keeps the modes equally frequent (S-KEY: 20).
    """

    differ: ClassVar[bool] = True  # in pitch

    preset: Preset = "crop_only"
    positives: Positives = "disjoint"
    circle: Literal["fifths", "semitones"] = "fifths"
    octaves: int = Field(default=7, ge=1, le=7)
    hidden: int = Field(default=32, ge=1)
    mode: bool = False
    mode_weight: float = Field(default=1.5, ge=0)
    balance_weight: float = Field(default=20.0, ge=0)


class _KeyHead(nn.Module):
    """Pitch maps of whole octaves, (B, channels, bins, F), to logits of each mode's profile, (B, modes, 12).

    ChromaNet hears the intervals of a scale before it averages over octaves and time; here the head does, after it. It
    too normalizes over pitch: what all pitch classes have in common, loudness above all, is no key.
    """

    def __init__(self, encoder: PitchEncoder, config: STONEConfig) -> None:
        super().__init__()
        self.bins_per_semitone, modes = encoder.bins_per_semitone, 1 + config.mode
        self.layers = nn.Sequential(
            nn.InstanceNorm1d(encoder.channels),
            Circulant(encoder.channels, config.hidden),
            nn.ReLU(inplace=True),
            Circulant(config.hidden, modes),
        )
        # S-KEY's, lest one mode outgrows the other by its scale
        self.norm = nn.BatchNorm1d(modes, affine=False) if config.mode else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.norm(self.layers(chroma(maps, self.bins_per_semitone)))
        return logits


class STONE(Pairs):
    """Key signature profiles of two crops, and of the first one transposed, compared on the circle of fifths."""

    info = Info("stone", "STONE (key equivariance)", "Kong et al. 2024; Kong et al. 2025 (S-KEY)", version=1)
    family = "equivariant"
    Config = STONEConfig
    needs = frozenset({"log_frequency"})
    encoder: PitchEncoder

    def __init__(self, encoder: PitchEncoder, config: STONEConfig) -> None:
        super().__init__(encoder, config)
        self.height = 12 * config.octaves * encoder.bins_per_semitone
        self.head = _KeyHead(encoder, config)

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Features of the three views, by how many semitones the third is higher, and both crops' own chroma.

        Both start at the same semitone, drawn from 1 to 12, and the third at any other, so that steps are within 11.
        """
        pair, per = super().views(batch, generator), self.encoder.bins_per_semitone
        n, device = len(batch.crops), generator.device
        first = torch.randint(1, 13, (n,), generator=generator, device=device)
        other = (first + torch.randint(1, 12, (n,), generator=generator, device=device)) % 12
        a, b = (bins_from(pair[name], per * first, self.height) for name in ("a", "b"))
        transposed = bins_from(pair["a"], per * other, self.height)
        return {"a": a, "b": b, "transposed": transposed, "steps": first - other, "chroma": chroma((a + b) / 2, per)}

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits of each view's profiles, (B, modes, 12), and what the loss is told."""
        logits = self.head(self.encoder.pitch_maps(torch.cat([views[name] for name in VIEWS]))).chunk(len(VIEWS))
        return {**dict(zip(VIEWS, logits, strict=True)), "steps": views["steps"], "chroma": views["chroma"]}

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cross-power spectral densities of all three pairs; with `mode`, S-KEY's losses besides."""
        logits = [at_least_float32(embeddings[name]) for name in VIEWS]
        modes = [x.flatten(1).softmax(dim=1).view_as(x) for x in logits]
        a, b, transposed = (x.sum(dim=1) for x in modes)
        steps, turns = embeddings["steps"], TURNS[self.config.circle]
        invariance = cross_power(a, b, torch.zeros_like(steps), turns)
        equivariance = cross_power(a, transposed, steps, turns) + cross_power(b, transposed, steps, turns)
        key = {"loss": invariance + equivariance, "invariance": invariance, "equivariance": equivariance}
        return self._with_modes(key, modes, embeddings["chroma"]) if self.config.mode else key

    def _with_modes(self, key: dict[str, Tensor], modes: list[Tensor], energy: Tensor) -> dict[str, Tensor]:
        shares = [x[:, 0].sum(dim=1) for x in modes]
        label = mode_labels((modes[0] + modes[1]).sum(dim=1), energy)
        mode = torch.stack([mode_cross_entropy(share, label) for share in shares]).sum()
        balance = mode_balance(torch.cat(shares[:2]))
        loss = key["loss"] + self.config.mode_weight * mode + self.config.balance_weight * balance
        return {**key, "loss": loss, "mode": mode, "balance": balance}
