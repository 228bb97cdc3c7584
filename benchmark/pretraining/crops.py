"""Which crops a pre-training step hears: batch t is a pure function of (seed, t), and the CPU at most slices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from benchmark.audio.resident import crops_on
from benchmark.audio.waveforms import MIX, Waveforms
from benchmark.interfaces import UserError
from benchmark.modules import Batch, Crops
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.labels import Rows, multi_hot


class CropStream(IterableDataset[tuple[int, dict[str, Tensor]]]):
    """Steps from `start`: (t, what `Batch` holds, the crops still int16) of different training tracks.

    Raises:
        UserError: the crops fit into no track (those that are too short are not heard), the corpus lacks a stem or a
            tag, or no track is left whose labels may be used.
    """

    def __init__(
        self,
        waves: Waveforms,
        spec: Crops,
        config: PretrainConfig,
        seed: int,
        start: int = 0,
        targets: NDArray[np.float32] | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Prepare the draws.

        Args:
            start: the first step.
            targets: (N, C) given as labels of every track that is heard, in place of tags.
            rows: tracks to draw from; by default all training tracks: a test track is never heard.
        """
        self.waves, self.spec, self.seed, self.start = waves, spec, seed, start
        self.count, self.length = spec.count, round(spec.seconds * waves.sample_rate)
        pool = np.flatnonzero(waves.tracks["split"].to_numpy() == "train") if rows is None else rows
        self.rows = self._long_enough(pool)
        #: tracks that the crops do not fit into: they are not heard
        self.too_short = len(pool) - len(self.rows)
        self.longest = max(self.length, int(waves.tracks["length"].to_numpy()[self.rows].max(initial=0)))
        self.batch = min(config.batch_size, len(self.rows))
        #: crops of 3 s that a step hears: a strategy that asks for longer ones takes fewer steps
        hearing = self._hearing(self.rows)
        self.heard = spec.heard(self.batch) * float(hearing.mean() / self.length)
        self.repeats = bool((hearing < self.length).any())
        self.steps = max(1, int(config.crops / self.heard))
        self._check_stems()
        self.labels = _labels(waves, self.rows, spec, seed) if targets is None else targets
        self.labelled = np.flatnonzero(self.labels.any(axis=1)) if spec.tags else self.rows[:0]
        if spec.tags and not len(self.labelled):
            raise UserError(
                f"labels were to be heard ({', '.join(spec.tags)}), but a share of {spec.label_share:g} of the tracks "
                "that have some and are long enough is none: ask for a larger share, or for shorter crops"
            )

    def _long_enough(self, rows: Rows) -> Rows:
        """The tracks that the crops fit into; all of them, where shorter ones are padded."""
        if self.spec.pads_to is not None:
            return rows
        apart = self.spec.abreast
        length = self.waves.tracks["length"].to_numpy()[rows]
        if (length >= apart * self.length).sum() < min(2, len(rows)):
            raise UserError(
                f"{apart} x {self.spec.seconds} s do not fit into the tracks, which last "
                f"{length.max(initial=0) / self.waves.sample_rate:.1f} s at most: ask for shorter crops"
                f"{', or place them at random' if apart > 1 else ''}"
            )
        return rows[length >= apart * self.length]

    def _hearing(self, rows: Rows) -> Rows:
        """How many samples of a crop are one hearing of each track: all, but of those that are shorter."""
        length = self.waves.tracks["length"].to_numpy()[rows]
        hearing: Rows = np.minimum(self.length, np.maximum(length, self.spec.pads_to or 1))
        return hearing

    def _check_stems(self) -> None:
        absent = set(self.spec.sources) - self.waves.stems.keys()
        if absent:
            raise UserError(f"the corpus has no stem {', '.join(sorted(absent))}; it has {', '.join(self.waves.stems)}")

    def __iter__(self) -> Iterator[tuple[int, dict[str, Tensor]]]:
        return ((t, self.step(t)) for t in range(self.start, self.steps))

    def step(self, t: int, mixed: bool = False) -> dict[str, Tensor]:
        """What step t hears, or, if `mixed`, the mixtures that its crops are from."""
        rng = np.random.default_rng((self.seed, t))
        source = str(rng.choice(self.spec.sources)) if self.spec.sources else MIX
        active = self.waves.active(source)
        rows, known = self._draw(rng, active)
        stems = [MIX] * (self.count - 1) + [MIX if mixed else source]
        crops = [
            crops_on("cpu", self.waves, rows, starts, self.length, stem)
            for stem, starts in zip(stems, self._starts(rng, rows), strict=True)
        ]
        return {
            **self._over_and_over(torch.stack(crops, dim=1), rows),
            "active": torch.from_numpy(active[rows]),
            "labels": torch.from_numpy(self.labels[rows] * known[:, None]),
        }

    def _over_and_over(self, crops: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Crops in which shorter tracks are repeated; where the corpus has such, with the share of one hearing."""
        if not self.repeats:
            return {"crops": crops}
        hearing = torch.from_numpy(self._hearing(rows))
        places = torch.arange(self.length) % hearing[:, None]
        again = crops.gather(2, places.to(crops.device)[:, None].expand_as(crops))
        return {"crops": again, "sounding": (hearing / self.length).float()}

    def _draw(self, rng: np.random.Generator, active: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.float32]]:
        """Rows of the batch, all different, and for which of them the labels are known."""
        pool = self.rows
        if self.spec.sources and rng.random() < 0.5:  # half of the batches hear the drawn source everywhere
            pool = pool[active[pool]] if active[pool].sum() >= self.batch else pool
        share = round(self.spec.batch_share * self.batch) if len(self.labelled) else 0
        first = rng.choice(self.labelled, min(share, len(self.labelled)), replace=False) if share else pool[:0]
        rest = np.setdiff1d(pool, first, assume_unique=True) if share else pool
        rows = np.concatenate([first, rng.choice(rest, self.batch - len(first), replace=False)])
        known = np.arange(self.batch) < len(first) if self.spec.tags else np.ones(self.batch)
        return rows, known.astype(np.float32)

    def _starts(self, rng: np.random.Generator, rows: Rows) -> list[Rows]:
        """Where each of the `count` crops starts, (B,) each."""
        room = self.waves.tracks["length"].to_numpy()[rows][:, None] - self.length
        short = room < 0
        room = np.where(short, self.longest - self.length, room)  # no other track's draw follows from how short one is
        if self.spec.placement == "random":
            starts = rng.integers(0, room + 1, (len(rows), self.count))
        elif self.spec.placement == "same":
            starts = np.repeat(rng.integers(0, room + 1), self.count, axis=1)
        else:
            free = room - (self.count - 1) * self.length
            draws = 1 if self.spec.placement == "adjacent" else self.count
            gaps = np.sort(rng.integers(0, free + 1, (len(rows), draws)), axis=1)
            starts = rng.permuted(gaps + np.arange(self.count) * self.length, axis=1)
        if self.spec.sources:
            starts[:, -1] = rng.integers(0, room[:, 0] + 1)
        return list(np.where(short, 0, starts).T)


def to_batch(heard: dict[str, Tensor]) -> Batch:
    """Crops as float32 in [-1, 1), on the device where they are."""
    return Batch(heard["crops"].float().mul_(1 / 32768), heard["active"], heard["labels"], heard.get("sounding"))


def _labels(waves: Waveforms, rows: Rows, spec: Crops, seed: int) -> NDArray[np.float32]:
    """Multi-hot labels (N, C) of the share of the labelled training tracks that may be used; zeros elsewhere."""
    labels = multi_hot(waves.tracks, rows, spec.tags)
    labelled = rows[labels[rows].any(axis=1)]  # of several corpora perhaps one alone has labels
    order = np.random.default_rng((seed, 0xD1CE)).permutation(labelled)
    labels[np.setdiff1d(np.arange(len(labels)), order[: round(spec.label_share * len(labelled))])] = 0
    return labels
