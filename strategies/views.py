"""The augmented views that contrastive and predictive strategies share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from benchmark.audio import augment, filters, stretch, windowed_sinc
from benchmark.audio.augment import chosen, uniform
from benchmark.interfaces import Config
from benchmark.modules import Encoder

Preset = Literal["pretext", "clmr", "semisupcon", "choi", "crop_only", "none"]
#: by name, in order: the share of the batch, and what it goes through
Chain = dict[str, tuple[float, Callable[..., Tensor]]]

#: examples that go through a chain together on a CPU
PART = 16
_SHIFTING = ("clmr", "semisupcon", "choi")
#: presets whose views are others than in version 1
_VERSIONS = {"pretext": 2, "clmr": 3, "semisupcon": 3, "choi": 2}
_STRENGTHS = ("gain_db", "noise_p", "filter_p", "mask_frequency", "mask_time", "pitch_shift_cents")


class ViewConfig(Config):
    """How views are made. Pitch shift erases key and pitch, so whether there is any is a factor of its own.

    Attributes:
        preset: `pretext`: gain, polarity, noise, a filter and masks, as strong as the options below say; `clmr` and
            `semisupcon`: the chains of the papers' code, whose filters are far steeper; `choi`: that paper's pitch
            within 2 semitones and speed 0.8 to 1.2, for every crop (a slower one is cut, a faster one starts over at
            its end, so that the length stays); `crop_only` and `none`: the crop as it is.
        pitch_shift: overrides whether the preset shifts pitch. Speed moves pitch too: `choi` without pitch shift
            changes the tempo by the same ratios instead.
        gain_db: `pretext`: levels are uniform between minus and plus this, in dB.
        noise_p: `pretext`: share of the crops with white noise (10 to 40 dB).
        filter_p: `pretext`: share of the crops that are filtered.
        mask_frequency: `pretext`: the widest masked span, as a share of the bands.
        mask_time: `pretext`: the widest masked span, as a share of the frames.
        pitch_shift_cents: `pretext`: shifts are uniform between minus and plus this; 0 for none.
    """

    preset: Preset = "pretext"
    pitch_shift: bool | None = None
    gain_db: float = 6.0
    noise_p: float = 0.5
    filter_p: float = 0.4
    mask_frequency: float = 0.2
    mask_time: float = 0.2
    pitch_shift_cents: int = 0

    @property
    def can_shift_pitch(self) -> bool:
        """Whether the preset has a pitch shift that could be on or off."""
        return self.preset in _SHIFTING or (self.preset == "pretext" and self.pitch_shift_cents > 0)

    @property
    def shifts_pitch(self) -> bool:
        """Whether views differ in pitch."""
        return self.can_shift_pitch and self.pitch_shift is not False

    @property
    def version(self) -> int:
        """Of the preset."""
        return _VERSIONS.get(self.preset, 1)

    def heard(self, crops: Tensor, sample_rate: int, generator: torch.Generator, crops_per_track: int = 1) -> Tensor:
        """(B, T) waveforms as they sound once augmented, each example with its own draw.

        Args:
            crops_per_track: the batch holds a crop of each track, then another of each, and so on. Crops of a track
                share what `semisupcon` decides by track.
        """
        if self.preset == "clmr":
            return _clmr(crops, sample_rate, self, generator)
        if self.preset == "semisupcon":
            return _semisupcon(crops, sample_rate, self, generator, crops_per_track)
        if self.preset == "choi":
            return _choi(crops, sample_rate, self, generator)
        return _pretext(crops, sample_rate, self, generator) if self.preset == "pretext" else crops

    @model_validator(mode="after")
    def _no_option_is_ignored(self) -> Self:
        if self.preset != "pretext":
            fields = type(self).model_fields
            moot = [name for name in _STRENGTHS if getattr(self, name) != fields[name].default]
            if moot:
                raise ValueError(
                    f"{', '.join(moot)}: strengths of preset 'pretext', which '{self.preset}' does not use"
                )
        if self.pitch_shift and not self.can_shift_pitch:
            raise ValueError(
                f"pitch_shift: preset '{self.preset}' has none; use {', '.join(_SHIFTING)} or pitch_shift_cents"
            )
        return self


def augmented(
    crops: Tensor, encoder: Encoder, config: ViewConfig, generator: torch.Generator, crops_per_track: int = 1
) -> Tensor:
    """(B, T) waveforms to augmented features (B, bands, frames), each example with its own draw.

    Features are masked by the `pretext` preset alone, and only where they are a spectrogram. `crops_per_track` as in
    `heard`.
    """
    features = encoder.features(config.heard(crops, encoder.sample_rate, generator, crops_per_track))
    if config.preset != "pretext" or "mel" not in encoder.offers:
        return features
    features = augment.mask_bands(features, 1, config.mask_frequency, generator)
    return augment.mask_bands(features, 2, config.mask_time, generator)


def _pretext(crops: Tensor, sample_rate: int, config: ViewConfig, generator: torch.Generator) -> Tensor:
    """All is drawn first; on a CPU few examples at a time then go through, which stay in its cache."""
    loud = 10 ** (uniform(len(crops), -config.gain_db, config.gain_db, generator) / 20)
    scale = loud * (1 - 2 * chosen(len(crops), 0.5, generator).to(crops.dtype))
    if config.shifts_pitch:
        cents = config.pitch_shift_cents
        crops = stretch.pitch_shift(crops, -cents, cents, sample_rate, generator)
    noise = augment.Noise.drawn(crops, config.noise_p, 10, 40, generator)
    passes = filters.PassFilter.drawn(len(crops), config.filter_p, generator)
    if not augment.at_hand(crops.device):
        return passes.filtered(noise.added(crops * scale), sample_rate)
    out = torch.empty_like(crops)
    for i in range(0, len(crops), PART):
        part = slice(i, i + PART)
        noisy = noise.within(i, i + PART).added(crops[part] * scale[part])
        out[part] = passes.within(i, i + PART).filtered(noisy, sample_rate)
    return out


def _clmr(x: Tensor, rate: int, config: ViewConfig, g: torch.Generator) -> Tensor:
    """CLMR's code, version 2 (Spijkervet & Burgoyne 2021); its noise of 0.0001-0.01 of the deviation is 40-80 dB.

    The room stands for sox's with all knobs drawn from 0-100: about as long, and as loud beside the direct sound.
    """
    chain: Chain = {
        "polarity": (0.8, torch.neg),
        "noise": (0.01, lambda x: augment.noise(x, 1.0, 40, 80, g)),
        "gain": (0.3, lambda x: augment.gain(x, -20, -1, g)),
        "filter": (0.8, lambda x: windowed_sinc.pass_filter(x, rate, g)),
        "delay": (0.3, lambda x: augment.delay(x, 200, 450, rate, g, step_ms=50)),
        "pitch_shift": (0.6, lambda x: stretch.pitch_shift(x, -700, 700, rate, g)),
        "reverb": (0.6, lambda x: augment.reverb(x, (0.17, 2.4), (-15, -9), rate, g)),
    }
    return _through(x, chain, config, g)


def _semisupcon(x: Tensor, rate: int, config: ViewConfig, g: torch.Generator, crops_per_track: int) -> Tensor:
    """SemiSupCon's code at severity 2 (Guinot et al. 2024).

    By track: whether its crops go through the chain at all, and the kind of filter. All else is each crop's own; and
    these, too, where a strategy does not say which crops are of one track (only `Pairs.views` does).
    """
    chain: Chain = {
        "gain": (0.4, lambda x: augment.gain(x, -15, 5, g)),
        "polarity": (0.6, torch.neg),
        "noise": (0.6, lambda x: augment.colored_noise(x, (3, 30), (-2, 2), rate, g)),
        "filter": (0.3, lambda x, kind: windowed_sinc.any_filter(x, kind, rate, g)),
        "pitch_shift": (0.6, lambda x: stretch.pitch_shift(x, -400, 400, rate, g)),
        "delay": (0.6, lambda x: augment.soft_echoes(x, rate, g)),
    }
    kinds = torch.randint(4, (len(x) // crops_per_track,), generator=g, device=g.device).repeat(crops_per_track)

    def through(x: Tensor, kinds: Tensor) -> Tensor:
        return _through(x, chain, config, g, filter=kinds)

    return augment.sometimes(x, 0.8, through, g, kinds, crops_per_track=crops_per_track)


def _through(x: Tensor, chain: Chain, config: ViewConfig, g: torch.Generator, **told: Tensor) -> Tensor:
    """(B, T) through a chain; `told`: by step, what it is to know of each example."""
    for name, (share, transform) in chain.items():
        if name != "pitch_shift" or config.shifts_pitch:
            x = augment.sometimes(x, share, transform, g, *([told[name]] if name in told else []))
    return x


def _choi(x: Tensor, rate: int, config: ViewConfig, g: torch.Generator) -> Tensor:
    """Choi et al. 2022: sox's `pitch`, then its `speed`, both always; together -586 to +516 cents."""
    if not config.shifts_pitch:
        return stretch.time_stretch(x, 0.8, 1.2, rate, g)
    return stretch.speed(stretch.pitch_shift(x, -200, 200, rate, g), 0.8, 1.2, g)
