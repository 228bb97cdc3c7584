"""MAE: reconstruct what is hidden of the spectrogram from what is not (He et al. 2022; Huang et al. 2022, AudioMAE)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Encoder, TokenEncoder
from strategies.losses import masked_regression
from strategies.masks import Decoder, MaskedConfig, MaskedCrop, frame_ratio, hidden, kept_tokens, picture_mask, take


class MAEConfig(MaskedConfig):
    """Options of MAE: one crop of each track; `masked` is AudioMAE's 0.8.

    By default nothing is augmented; a preset augments what is to be drawn as well. The decoder is smaller than the
    papers' (He et al.: 8 layers of 512; AudioMAE: 16, of local attention).
    """

    masked: float = Field(default=0.8, gt=0, lt=1)
    decoder_width: int = 128
    decoder_depth: int = 2


class MAE(MaskedCrop):
    """On `vit`: visible tokens are encoded, a light decoder draws the masked patches, each normalized.

    On a CNN patches of the input are hidden, and each frame embedding draws the frames that it stands for.
    """

    info = Info("mae", "Masked autoencoder", "He et al. 2022; Huang et al. 2022 (AudioMAE)", version=2)
    family = "masked modeling"
    Config = MAEConfig
    learning_rate = 3e-3
    without_tokens = "CNN masking"

    def __init__(self, encoder: Encoder, config: MAEConfig) -> None:
        super().__init__(encoder, config)
        if isinstance(encoder, TokenEncoder):
            pixels = encoder.patches(encoder.features(torch.zeros(1, encoder.sample_rate))).shape[2]
            self.decoder: nn.Module = Decoder(encoder.embedding_dim, config.decoder_width, config.decoder_depth, pixels)
        else:
            self.bands, self.ratio = frame_ratio(encoder)
            self.decoder = nn.Linear(encoder.embedding_dim, self.bands * self.ratio)

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Prediction and target of each patch (or frame), and which of it is masked: (B, N, P) each."""
        features, noise = views["features"], views["noise"]
        if not isinstance(self.encoder, TokenEncoder):
            return self._on_pictures(features, picture_mask(noise, self.config.masked, features))
        kept, dropped = kept_tokens(noise, self.config.masked)
        encoded = self.encoder.encode(take(self.encoder.tokens(features), kept))
        drawn = self.decoder(encoded, kept, self.encoder.grid(features))
        return {"drawn": take(drawn, dropped), "target": take(self.encoder.patches(features), dropped)}

    def _on_pictures(self, features: Tensor, mask: Tensor) -> dict[str, Tensor]:
        drawn = self.decoder(self.encoder.body(hidden(features, mask)))
        target, masked = (self._frames(x, drawn.shape[1]) for x in (features, mask.to(features)))
        return {"drawn": drawn, "target": target, "mask": masked}

    def _frames(self, picture: Tensor, frames: int) -> Tensor:
        """(B, bands, T) to (B, frames, bands * ratio): the spectra that each frame embedding stands for."""
        padded = F.pad(picture, (0, max(0, frames * self.ratio - picture.shape[2])))[:, :, : frames * self.ratio]
        return torch.unflatten(padded, 2, (frames, self.ratio)).transpose(1, 2).flatten(2)

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Mean squared error on what was masked; a ViT's patches are normalized, as in the paper's best setting."""
        drawn, target = embeddings["drawn"], embeddings["target"]
        if "mask" in embeddings:
            error = (drawn.float() - target.float()).square() * embeddings["mask"]
            return {"loss": error.sum() / embeddings["mask"].sum().clamp(min=1)}
        everywhere = torch.ones(drawn.shape[:2], dtype=torch.bool, device=drawn.device)
        return {"loss": masked_regression(drawn, target, everywhere, normalize=True)}
