"""Embedding: the frozen encoder turns every clip into frame embeddings and their statistics, streamed to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmark.audio.waveforms import Waveforms
from benchmark.modules import Encoder

BATCH = 16


@torch.no_grad()
def embed(
    encoder: Encoder, waves: Waveforms, out: Path, reads: Literal["clips", "frames"], device: str
) -> dict[str, float]:
    """Write `embeddings.npy`.

    Args:
        encoder: put into evaluation mode; its state is not changed.
        waves: all tracks, of equal length.
        out: folder for `embeddings.npy`.
        reads: `clips`: (N, 2D) float32, mean and standard deviation over frames; `frames`: (N, F, D) float16.
        device: where to compute.
    """
    encoder.to(device).eval()
    n, length = len(waves.tracks), int(waves.tracks["length"].max())
    table = None
    for at in range(0, n, BATCH):
        rows = np.arange(at, min(at + BATCH, n))
        audio = torch.from_numpy(waves.crops(rows, np.zeros(len(rows), np.int64), length)).to(device)
        embedded = encoder(audio.float() / 32768).float()
        if reads == "clips":
            embedded = torch.cat([embedded.mean(dim=1), embedded.std(dim=1)], dim=1)
        if table is None:
            table = np.lib.format.open_memmap(
                out / "embeddings.npy",
                mode="w+",
                dtype=np.float32 if reads == "clips" else np.float16,
                shape=(n, *embedded.shape[1:]),
            )
        table[rows] = embedded.cpu().numpy()
    return {"frame_rate": encoder.frame_rate, "dim": encoder.embedding_dim}
