"""A frozen encoder for whoever has audio: arrays, files and folders, heard as the benchmark hears them.

Audio of any rate is mixed down, resampled to the encoder's and quantized to 16 bits, as every corpus is; then its
windows of at most 10 s, which are what probes read, go through the encoder a few at a time.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.audio.decode import RATES, decode, mixed
from benchmark.audio.waveforms import MIX, Waveforms
from benchmark.corpora.datasets.layout import SOUND, UNDECODABLE
from benchmark.corpora.tables.files import on_disk
from benchmark.interfaces import Odd, Unreadable, UserError, Verdict, many
from benchmark.modules import Encoder
from benchmark.probing.embed import read, summary


class Frames(NamedTuple):
    """Embeddings of frames, (F, D) float32, and when each is, (F,) in seconds."""

    embeddings: NDArray[np.float32]
    times: NDArray[np.float64]


class PretrainedEncoder(nn.Module):
    """An encoder that learns no more; `.to("cuda")` moves it, as any module.

    Attributes:
        encoder: the network: (B, T) waveforms at `sample_rate` to (B, F, D) frames, `frame_rate` per second.
        about: what its export says of it; empty for features that nobody trained.
    """

    def __init__(self, encoder: Encoder, about: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.about = about or {}
        self.sample_rate, self.frame_rate = encoder.sample_rate, encoder.frame_rate
        self.frame_dim, self.clip_dim = encoder.embedding_dim, 2 * encoder.embedding_dim
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        own = itertools.chain(self.parameters(), self.buffers())
        return next((tensor.device for tensor in own), torch.device("cpu"))

    @overload
    def embed(
        self, audio: NDArray[Any] | Tensor, sr: float, *, frames: Literal[False] = False
    ) -> NDArray[np.float32]: ...
    @overload
    def embed(self, audio: NDArray[Any] | Tensor, sr: float, *, frames: Literal[True]) -> Frames: ...
    @overload
    def embed(self, audio: str | Path, *, frames: bool = False) -> Any: ...
    def embed(self, audio: Any, sr: float | None = None, *, frames: bool = False) -> Any:
        """Embed a clip: mean and standard deviation over its frames, (2 D,) float32, which is what probes see.

        Of what is longer than 10 s this is the mean over equal windows of at most 10 s, as the outputs of probes are
        averaged over them.

        Args:
            audio: (T,) or (channels, T) samples, floats within ±1 or int16; or the path of a file; or that of a folder,
                whose files are all embedded, deeper ones as well.
            sr: the rate of samples, in Hz; files say their own.
            frames: give every frame instead, as `Frames`: frame i is at i / `frame_rate` seconds.

        Returns:
            The embedding; of a folder, an iterator over (path, embedding), by path. Files that cannot be read are left
            out of it, with a warning, as are those in formats that nobody here decodes; so is what is odd about a file
            told.

        Raises:
            UserError: it is no audio, or cannot be read.
        """
        if isinstance(audio, str | Path):
            if sr is not None:
                raise UserError(f"{audio}: a file says its own sample rate; leave sr={sr} out")
            path = _located(Path(audio))
            return self._of_folder(path, frames) if os.path.isdir(path) else self._embed(self._decoded(path), frames)
        samples, odd = heard(audio, sr, self.sample_rate)
        _warn("the audio", odd)
        return self._embed(samples, frames)

    def of_tracks(
        self, tracks: Sequence[NDArray[np.int16]], frames: bool = False, tail: int = 0
    ) -> list[NDArray[np.float32]]:
        """Embed several clips of int16 samples at `sample_rate` side by side.

        Args:
            tracks: (T,) each; what the encoder is too short for is padded with silence.
            frames: each one's frames, (F, D), in place of (2 D,).
            tail: frames of each beyond those that it fills.
        """
        self.eval()
        lengths = [len(track) for track in tracks]
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        index = pd.DataFrame({"id": [str(i) for i in range(len(tracks))], "offset": offsets, "length": lengths})
        waves = Waveforms(index, {MIX: np.concatenate(tracks)}, self.sample_rate)
        width = self.frame_dim if frames else self.clip_dim
        features = read(
            (lambda x: self.encoder.timed(x).float()) if frames else (lambda x: summary(self.encoder(x).float())),
            waves,
            self.frame_rate if frames else None,
            lambda rows: np.empty((rows, width), np.float32),
            str(self.device),
            shortest=self.encoder.shortest,
            tail=tail,
        )
        if frames:
            return np.split(features.data, features.offsets[1:-1])
        return features.by_track(features.data, np.arange(len(tracks)))

    def _embed(self, samples: NDArray[np.int16], frames: bool) -> NDArray[np.float32] | Frames:
        (found,) = self.of_tracks([samples], frames)
        return Frames(found, np.arange(len(found)) / self.frame_rate) if frames else found

    def _of_folder(self, folder: Path, frames: bool) -> Iterator[tuple[Path, NDArray[np.float32] | Frames]]:
        every = sorted(path for path in folder.rglob("*") if path.name[0] != ".")
        paths = [path for path in every if path.suffix.lower() in SOUND]
        mute = Counter(ending for path in every if (ending := path.suffix.lower()) in UNDECODABLE)
        listed = ", ".join(f"{count} {ending}" for ending, count in mute.most_common())
        if not paths:
            others = f" that is read here ({listed} must be converted)" if mute else ""
            raise UserError(
                f"{folder}: there is no audio in it{others}; files are known by their endings: "
                f"{' '.join(sorted(SOUND))}"
            )
        if mute:
            left = many(mute.total(), "file")
            warnings.warn(f"left out: {left} of {folder} in formats that are not read here: {listed}", stacklevel=3)
        return self._of_files(paths, frames)

    def _of_files(self, paths: Sequence[Path], frames: bool) -> Iterator[tuple[Path, NDArray[np.float32] | Frames]]:
        for path in paths:
            try:
                samples = self._decoded(path)
            except UserError as error:
                warnings.warn(f"left out: {error}", stacklevel=2)
            else:
                yield path, self._embed(samples, frames)

    def _decoded(self, path: Path) -> NDArray[np.int16]:
        found = decode(path, self.sample_rate)
        if isinstance(found, Unreadable):
            if not os.path.exists(path):
                raise UserError(f"{path}: there is no such file or folder")
            raise UserError(f"{path}: cannot be read as audio ({found.reason})")
        _warn(str(path), found.verdicts if isinstance(found, Odd) else ())
        return found[MIX]


def heard(audio: Any, sr: float | None, rate: int) -> tuple[NDArray[np.int16], list[Verdict]]:
    """Samples as the benchmark would have read them from a file, and what is odd about them.

    Args:
        audio: (T,) or (channels, T).
        sr: their rate, in Hz.
        rate: of the result.

    Raises:
        UserError: it is no audio.
    """
    sound = _array(audio)
    if sr is None or not _is_rate(sr):
        raise UserError(f"sr={sr!r}: say the sample rate of the audio as a number, in Hz: embed(audio, 44100)")
    if sound.ndim not in (1, 2) or not sound.size:
        raise UserError(f"audio of shape {sound.shape}: give samples (T,) or (channels, T), and at least one")
    if sound.ndim == 2 and len(sound) > sound.shape[1]:
        raise UserError(f"audio of shape {sound.shape}: channels come first, (channels, T); transpose it")
    if sound.dtype == np.int16:
        if sr == rate and (sound.ndim == 1 or len(sound) == 1):
            return sound.reshape(-1), []
        sound = sound.astype(np.float32) / 32768
    if not np.issubdtype(sound.dtype, np.floating):
        raise UserError(f"audio of {sound.dtype}: give floats within ±1, or int16")
    if not np.isfinite(sound).all():
        raise UserError("the audio holds NaN or infinity")
    samples, odd = mixed(np.atleast_2d(sound).T.astype(np.float32), sr, rate)
    if not len(samples):
        raise UserError(f"audio of shape {sound.shape}: is shorter than a sample at {rate} Hz")
    return samples, odd


def _array(audio: Any) -> NDArray[Any]:
    if isinstance(audio, Tensor):
        return audio.detach().cpu().numpy()
    try:
        sound = np.asarray(audio)
    except ValueError:  # sequences of several lengths
        sound = np.empty(0, object)
    if sound.dtype.kind in "OSU":  # paths and other texts, or nothing that has samples
        raise UserError(
            f"{type(audio).__name__} is no audio: give one path, of a file or of a folder, or an array of samples and "
            "its sample rate: embed(audio, 44100)"
        )
    return sound


def _is_rate(sr: Any) -> bool:
    try:
        return bool(RATES[0] <= sr <= RATES[1])
    except (TypeError, ValueError):  # a text, or several
        return False


def _located(path: Path) -> Path:
    """Where it lies, though the disk may spell its name in Unicode's other form."""
    above = next((folder for folder in path.parents if os.path.isdir(folder)), Path())
    there = path if os.path.exists(path) else Path(on_disk(above, os.path.relpath(path, above)))
    return there if os.path.exists(there) else path


def _warn(what: str, odd: Sequence[Verdict]) -> None:
    for verdict in odd:
        warnings.warn(f"{what}: {verdict.what}", stacklevel=4)
