"""The two contracts that are torch modules: Encoder and Strategy (the others, in interfaces.py, need no torch)."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.interfaces import Config, Info, check_declared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Placement = Literal["random", "same", "adjacent", "disjoint"]
#: what is counted as one crop: budgets, and whatever a strategy measures its own time in
CROP_SECONDS = 3.0


@dataclass(frozen=True)
class Crops:
    """What a strategy wants to hear of each track of a batch.

    Attributes:
        count: crops per track.
        seconds: their length.
        placement: `random`: each anywhere in the track; `same`: all at one place; `adjacent`: one after the other, in
            random order; `disjoint`: anywhere without overlap.
        sources: stems. If there are any, one of them is drawn per batch, and the last crop is of that stem (placed on
            its own), the others of the mixture.
        tags: columns of the corpus that are given as labels (a class per value, or per element where a column holds
            lists; all columns side by side).
        label_share: share of the training tracks with labels whose labels may be used.
        batch_share: share of each batch that is drawn from those tracks.
        pads_to: None where tracks that are shorter than a crop are not heard. Else they are, padded with silence to so
            many samples, and over and over, so that a batch's statistics know no other silence; `Batch.sounding` says
            how much of a crop is one hearing.
    """

    count: int = 2
    seconds: float = 3.0
    placement: Placement = "random"
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    label_share: float = 1.0
    batch_share: float = 0.5
    pads_to: int | None = None

    def __post_init__(self) -> None:
        legal = {
            "count": self.count >= 1,
            "seconds": 0 < self.seconds < math.inf,
            "placement": self.placement in get_args(Placement),
            "sources": isinstance(self.sources, tuple),
            "tags": isinstance(self.tags, tuple),
            "label_share": 0 <= self.label_share <= 1,
            "batch_share": 0 <= self.batch_share <= 1,
        }
        bad = [f"{field} = {getattr(self, field)!r}" for field, is_legal in legal.items() if not is_legal]
        if bad:
            raise ValueError(f"{', '.join(bad)}; see benchmark.modules.Crops for what is legal")

    @property
    def abreast(self) -> int:
        """How many crops a track must hold without overlap."""
        return self.count if self.placement in ("adjacent", "disjoint") else 1

    def heard(self, tracks: int) -> float:
        """Crops of 3 s that a batch of so many tracks counts as; one of 6 s counts as two."""
        return tracks * self.count * self.seconds / CROP_SECONDS


@dataclass(frozen=True)
class Batch:
    """Crops of B different tracks, on the device.

    Attributes:
        crops: (B, count, T) float32 waveforms.
        active: (B,) bool, whether the drawn source sounds in the track; all true without sources.
        labels: (B, C) multi-hot float32, all zero where a track's labels may not be used; C = 0 without tags.
        sounding: (B,) float32, the share of each crop after which a shorter track begins anew; None if all are longer.
    """

    crops: Tensor
    active: Tensor
    labels: Tensor
    sounding: Tensor | None = None


@runtime_checkable
class Augmentation(Protocol):
    """Options of a strategy that say how crops are augmented, so that the page can let people hear it."""

    def heard(self, crops: Tensor, sample_rate: int, generator: torch.Generator) -> Tensor:
        """(B, T) waveforms as they sound once augmented, each example with its own draw."""


class Encoder(nn.Module):
    """Waveform to frame embeddings. The front end belongs to the encoder and runs on the device.

    `forward` is `body(features(waveform))`; strategies that mask or augment features call the two separately.
    """

    info: ClassVar[Info]
    Config: ClassVar[type[Config]] = Config
    sample_rate: int
    embedding_dim: int
    frame_rate: float
    #: `mel`: features are a spectrogram; `tokens`: the body can drop tokens; `log_frequency`: it keeps a pitch axis
    offers: ClassVar[frozenset[str]] = frozenset({"mel"})
    #: the embedding is this many equal parts side by side, one per layer that it is read from; a strategy may compare
    #: each on its own, the probes read the whole
    levels: ClassVar[int] = 1
    #: samples that it needs at least for one frame: what is shorter is padded with silence, wherever it is read
    shortest: ClassVar[int] = 1
    #: samples from the beginning to the middle of the first frame: none where frames are centered, as an STFT's are
    first_frame: ClassVar[int] = 0

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        check_declared(cls, {"offers": frozenset, "levels": int, "shortest": int, "first_frame": int})

    @classmethod
    def fingerprint(cls) -> str:
        """Which weights it comes with, if it comes with any: what is read from them is theirs, whatever our code."""
        return ""

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """(B, T) float32 at `sample_rate` to (B, bands, frames)."""

    @abstractmethod
    def body(self, features: Tensor) -> Tensor:
        """(B, bands, frames) to (B, F, D) at `frame_rate`."""

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, F, D)."""
        return self.body(self.features(waveform))

    def led_in(self, waveform: Tensor) -> Tensor:
        """(..., T) with as much silence before it as puts the middle of frame i at i / `frame_rate`."""
        return F.pad(waveform, (self.first_frame, 0)) if self.first_frame else waveform

    def timed(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, F, D), the middle of frame i at i / `frame_rate`."""
        frames: Tensor = self(self.led_in(waveform))
        return frames


class TokenEncoder(Encoder):
    """An encoder that cuts features into patches and can encode any subset of them (a ViT)."""

    offers: ClassVar[frozenset[str]] = frozenset({"mel", "tokens"})

    @abstractmethod
    def grid(self, features: Tensor) -> tuple[int, int]:
        """Patches in frequency and in time."""

    @abstractmethod
    def patches(self, features: Tensor) -> Tensor:
        """(B, bands, frames) to the pixels of each patch, (B, N, P), in the tokens' order."""

    @abstractmethod
    def tokens(self, features: Tensor) -> Tensor:
        """(B, bands, frames) to embedded patches that know where they are, (B, N, D)."""

    @abstractmethod
    def encode(self, tokens: Tensor) -> Tensor:
        """Any n of the tokens, (B, n, D) to (B, n, D)."""


class PitchEncoder(Encoder):
    """An encoder on a log-frequency axis that it keeps: transposed features are mapped to what they were, transposed.

    Its embedding is read from the pitch maps; strategies that transpose (PESTO, STONE) compare the maps themselves.
    """

    offers: ClassVar[frozenset[str]] = frozenset({"mel", "log_frequency"})
    #: of the features and of the maps
    bins_per_semitone: ClassVar[int]
    #: of the maps
    channels: ClassVar[int]

    @abstractmethod
    def pitch_maps(self, features: Tensor) -> Tensor:
        """(B, bins, frames), of any number of bins, to (B, channels, bins, F).

        Features shifted by k bins have maps shifted by k bins, but for the margins that see beyond the edge.
        """


class Strategy(nn.Module):
    """One pretext task: which crops it hears, the views it makes of them, and its loss.

    A step is `loss(gather(embed(views(batch))))`: `views` runs in float32, `embed` in the trainer's precision, and
    `loss` sees the whole batch even when several devices share it, since the trainer gathers in between.

    Class attributes:
        family: what kind of task it is, in the field's terms (`contrastive`, `masked modeling`): for the page's filter.
        encoder_name: set by strategies that bring their own encoder (handcrafted features).
        trains: False for baselines that leave the encoder's weights as they are.
        settled: True for those of them whose encoder is read out like a trained one all the same, with BatchNorm
            statistics of the pre-training corpus; otherwise it normalizes nothing, as it was initialized.
        imported: True for the row that is nothing but weights from elsewhere: its grid says which (`weights`).
        supervised: True for the baseline that has no pretext task, and learns each downstream task's own labels.
        learning_rate: AdamW's, after warm-up.
        batch_size: tracks per step, where the grid does not say.
        warmup_crops: crops during which the learning rate rises, where the grid does not say.
        needs: what an encoder must offer, e.g. `mel` (features are a spectrogram that can be masked) or
            `log_frequency` (it is a `PitchEncoder`).
        without_tokens: what it is on an encoder that does not offer `tokens`, where that is not the paper's method; in
            a literal string, since `list` reads it from the source.

    Attributes:
        step_crops: crops of 3 s that each step hears, as the trainer says before the first one (of 64 tracks, until
            then). What moves by crops, not by steps or shares of the training, is the same at any batch size, and can
            be continued.
    """

    info: ClassVar[Info]
    Config: ClassVar[type[Config]] = Config
    family: ClassVar[str] = "other"
    encoder_name: ClassVar[str | None] = None
    trains: ClassVar[bool] = True
    settled: ClassVar[bool] = False
    imported: ClassVar[bool] = False
    supervised: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1e-3
    batch_size: ClassVar[int] = 64
    warmup_crops: ClassVar[int] = 100_000
    needs: ClassVar[frozenset[str]] = frozenset()
    without_tokens: ClassVar[str] = ""
    step_crops: float

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        check_declared(cls, {"family": str, "needs": frozenset, "Config": type(Config), "batch_size": int})

    def __init__(self, encoder: Encoder, config: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.step_crops = self.crops(config).heard(64)

    @classmethod
    def variant(cls, encoder: type[Encoder]) -> str:
        """What it is to be called on this encoder, beside its name; empty where it is the paper's method."""
        return "" if "tokens" in encoder.offers else cls.without_tokens

    @classmethod
    def crops(cls, config: Any) -> Crops:
        """Say what it wants to hear, given its options."""
        return Crops()

    @classmethod
    def check_labels(cls, config: Any, labels: NDArray[np.float32]) -> None:
        """Look at a corpus's labels before any training; only for who asks for tags.

        Args:
            config: its options.
            labels: (N, C) multi-hot, of all training tracks.

        Raises:
            UserError: it can learn nothing from them.
        """

    def views(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Make views, each (B, ...): augmented features, as the encoder's body sees them, labels, masks ..."""
        raise NotImplementedError

    def embed(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Embed the views: everything that the loss compares, each (B, ...)."""
        raise NotImplementedError

    def loss(self, embeddings: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compare: `loss` (float32 scalar); what else is returned is for your own eyes, in a debugger or a test."""
        raise NotImplementedError

    def after_step(self, step: int, total: int) -> None:
        """Called after each optimizer step (EMA teachers move here).

        Args:
            step: how many have been taken, this one included; each heard `step_crops`.
            total: of the whole training. What depends on it changes when a training is made longer.
        """
