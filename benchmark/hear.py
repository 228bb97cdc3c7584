"""HEAR's common API (Turian et al. 2022), so that exported encoders run in that suite: `benchmark.hear` is the module.

`model_file_path` is the folder of an export, or the weights' file in it, or a name that `benchmark.load_encoder` knows.
Scenes are embedded as clips are for probes: mean and standard deviation over frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.encoders.exported import WEIGHTS
from benchmark.interfaces import UserError
from benchmark.pretrained.encoder import heard
from benchmark.pretrained.package import load

#: what is loaded where no path is given
DEFAULT = "mfcc_chroma"


class HearModel(nn.Module):
    """What HEAR asks of a model."""

    def __init__(self, source: str | Path) -> None:
        super().__init__()
        self.pretrained = load(source)
        self.sample_rate = self.pretrained.sample_rate
        self.scene_embedding_size = self.pretrained.clip_dim
        self.timestamp_embedding_size = self.pretrained.frame_dim


def load_model(model_file_path: str = "") -> HearModel:
    """Load an encoder.

    Raises:
        UserError: there is none.
    """
    path = Path(model_file_path or DEFAULT)
    return HearModel(path.parent if path.name == WEIGHTS else path)


def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """(n_sounds, n_samples) within ±1 at `model.sample_rate` to (n_sounds, scene_embedding_size), on their device."""
    found = model.pretrained.of_tracks(_samples(audio, model))
    return torch.from_numpy(np.stack(found)).to(audio.device)


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """(n_sounds, n_samples) to (n_sounds, n_timestamps, timestamp_embedding_size), and when each is, in milliseconds.

    Frames go on to the last that is not behind the sound's end, one more than tasks of this benchmark ask for.
    """
    found = np.stack(model.pretrained.of_tracks(_samples(audio, model), frames=True, tail=1))
    times = np.arange(found.shape[1]) / model.pretrained.frame_rate
    inside = times <= audio.shape[1] / model.sample_rate
    stamps = torch.from_numpy(1000 * times[inside]).float().expand(len(found), -1)
    return torch.from_numpy(found[:, inside]).to(audio.device), stamps.contiguous().to(audio.device)


def _samples(audio: Tensor, model: HearModel) -> list[NDArray[np.int16]]:
    if audio.ndim != 2 or not audio.numel():
        raise UserError(f"audio of shape {tuple(audio.shape)}: HEAR gives (n_sounds, n_samples)")
    return [heard(sound, model.sample_rate, model.sample_rate)[0] for sound in audio]
