"""Waveforms in the memory of the device that hears them: a step's crops are gathered there, and nothing is copied.

A GPU takes a step in a few milliseconds; slicing its crops on a core and sending them over takes four times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.audio.waveforms import MIX, Waveforms

#: of a device's free memory that audio may take up
SHARE = 0.5


def resident(waves: Waveforms, device: str, stems: Iterable[str] = (MIX,)) -> Waveforms:
    """The same waveforms, with some stems in a GPU's memory too if they fit; on the CPU they are at hand anyway."""
    wanted = [stem for stem in dict.fromkeys(stems) if stem not in waves.resident]
    if not device.startswith("cuda") or not wanted:
        return waves
    free, _ = torch.cuda.mem_get_info(device)
    if sum(2 * len(waves.stems[stem]) for stem in wanted) > SHARE * free:
        return waves
    return moved(waves, device, wanted)


def moved(waves: Waveforms, device: str, stems: Iterable[str]) -> Waveforms:
    """The same waveforms with some stems on a device, whether or not that is of use."""
    there = {stem: torch.from_numpy(np.array(waves.stems[stem][:])).to(device) for stem in stems}
    return replace(waves, resident={**waves.resident, **there})


def crops_on(
    device: str | torch.device,
    waves: Waveforms,
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    length: int,
    stem: str = MIX,
) -> Tensor:
    """`waves.crops` as a tensor, (B, length) int16: on the device where the stem is resident, else on `device`."""
    samples = waves.resident.get(stem)
    fits = starts + length <= waves.tracks["length"].to_numpy()[rows]
    if samples is None or not fits.all():  # what is too short is padded
        cut = torch.from_numpy(waves.crops(rows, starts, length, stem))
        return cut.to(device if samples is None else samples.device)
    begins = torch.from_numpy(waves.tracks["offset"].to_numpy()[rows] + starts).to(samples.device)
    crops: Tensor = samples[begins[:, None] + torch.arange(length, device=samples.device)]
    return crops
