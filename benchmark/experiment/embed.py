"""Embedding: the frozen encoder turns every clip into frame embeddings and their statistics, streamed to disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmark.audio.waveforms import Waveforms
from benchmark.modules import Encoder

BATCH = 16


@torch.no_grad()
def embed(encoder: Encoder, waves: Waveforms, out: Path, frames: bool, device: str) -> dict[str, float]:
    """Write `clips.npy` and, if wanted, `frames.npy`.

    Args:
        encoder: put into evaluation mode; its state is not changed.
        waves: all tracks, of equal length.
        out: folder for `clips.npy`, (N, 2D) float32, mean and standard deviation over frames, and `frames.npy`,
            (N, F, D) float16.
        frames: whether a task of the grid reads frames.
        device: where to compute.
    """
    encoder.to(device).eval()
    n, length = len(waves.tracks), int(waves.tracks["length"].max())
    clips = np.lib.format.open_memmap(
        out / "clips.npy", mode="w+", dtype=np.float32, shape=(n, 2 * encoder.embedding_dim)
    )
    table = None
    for at in range(0, n, BATCH):
        rows = np.arange(at, min(at + BATCH, n))
        audio = torch.from_numpy(waves.crops(rows, np.zeros(len(rows), np.int64), length)).to(device)
        embedded = encoder(audio.float() / 32768).float()
        clips[rows] = torch.cat([embedded.mean(dim=1), embedded.std(dim=1)], dim=1).cpu().numpy()
        if frames:
            if table is None:
                shape = (n, *embedded.shape[1:])
                table = np.lib.format.open_memmap(out / "frames.npy", mode="w+", dtype=np.float16, shape=shape)
            table[rows] = embedded.cpu().numpy()
    return {"frame_rate": encoder.frame_rate, "dim": encoder.embedding_dim}
