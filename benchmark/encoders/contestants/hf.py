"""`--plugin hf:NAME`: an audio model of the transformers family as a row, frozen.

NAME is a folder, or what lies in the family's cache (`hf download NAME` puts it there; nothing is fetched here). No
code of a model's authors runs: weights are safetensors, or PyTorch's files read as nothing but tensors.

`hf:NAME#6` reads the sixth hidden layer, 0 being what the first one is given; `hf:NAME#all` all of them side by side,
which a linear probe weights as it likes (SUPERB, Yang et al. 2021, gives each a single weight); without either, their
mean. Layers are those of the task-agnostic part, before any head.

Two kinds fit: models of waveforms (wav2vec 2.0, HuBERT, WavLM, data2vec, MERT, ...), which give a row per frame; and
CLAP, whose audio tower gives a row per clip: all its frames are that row, and frame-wise tasks get little from it.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
import torchaudio
from torch import Tensor

from benchmark.encoders.contestants.contestant import SAMPLE_RATE, Contestant
from benchmark.interfaces import Info, UserError, one_line

PREFIX = "hf:"
#: models that compute what one of the library's does, if none of these options is on
_AS = {"mert_model": ("hubert", ("feature_extractor_cqt", "deepnorm"))}
_CLAP = "clap"


class HuggingFace(Contestant):
    """A model of the transformers library.

    Class attributes:
        folder: where its files are.
        layer: which hidden layer, `mean` or `all`.
    """

    package = "transformers"
    folder: ClassVar[Path]
    layer: ClassVar[str]
    native_rate: ClassVar[int]
    normalizes: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.network = _model(self.folder)

    @classmethod
    def fingerprint(cls) -> str:
        """Hash of its files, and the layer; the library's version, too, which decides what it computes."""
        return f"{super().fingerprint()} {_digest(cls.folder)} {cls.layer}"

    def features(self, waveform: Tensor) -> Tensor:
        """The waveform at the model's own rate, and as loud as it wants it: (B, 1, T)."""
        with torch.autocast(waveform.device.type, enabled=False):
            x: Tensor = torchaudio.functional.resample(waveform, SAMPLE_RATE, self.native_rate)
            if self.normalizes:
                deviation = (x.var(dim=1, correction=0, keepdim=True) + 1e-7).sqrt()
                x = (x - x.mean(dim=1, keepdim=True)) / deviation
        return x[:, None]

    def body(self, features: Tensor) -> Tensor:
        """(B, 1, T) to (B, F, D)."""
        layers = self.network(features[:, 0], output_hidden_states=True).hidden_states
        if self.layer == "mean":
            return torch.stack(layers).mean(dim=0)
        found: Tensor = torch.cat(layers, dim=2) if self.layer == "all" else layers[int(self.layer)]
        return found


class CLAP(HuggingFace):
    """The audio tower of a CLAP model: an embedding of a clip, said once a second."""

    frame_rate = 1.0

    def __init__(self) -> None:
        from transformers import ClapFeatureExtractor

        super().__init__()
        self._listen = ClapFeatureExtractor.from_pretrained(self.folder, local_files_only=True)

    def body(self, features: Tensor) -> Tensor:
        """(B, 1, T) to (B, seconds + 1, D), all frames of a clip alike."""
        clips = list(features[:, 0].float().cpu().numpy())
        heard = self._listen(clips, sampling_rate=self.native_rate, return_tensors="pt").to(features.device)
        embedded: Tensor = self.network(**heard).audio_embeds
        return embedded[:, None].expand(-1, features.shape[2] // self.native_rate + 1, -1)


def encoder_of(source: str) -> type[HuggingFace]:
    """The encoder that `hf:NAME` or `hf:NAME#LAYER` stands for.

    Raises:
        UserError: there is no such model on this machine, the library is not installed, or it is no audio model that
            fits.
    """
    name, _, layer = source.removeprefix(PREFIX).partition("#")
    folder = _folder(name)
    config, heard = _json(folder, "config.json"), _json(folder, "preprocessor_config.json")
    rate, clap = int(heard.get("sampling_rate", SAMPLE_RATE)), config.get("model_type") == _CLAP
    if clap and layer:
        raise UserError(f"{source}: CLAP gives one embedding of a clip, no layers; leave #{layer} out")
    called = re.sub(r"[^a-z0-9]+", "_", Path(name).absolute().name.lower()).strip("_")[:50]
    called = (called if called[:1].isalpha() else f"hf_{called}") + (f"_{layer}" if layer else "")
    members = {
        "__doc__": f"{name}, as it lies on this machine.",
        "info": Info(called, f"{Path(name).name}, frozen", "see its model card", version=2),
        "folder": folder,
        "layer": layer or "mean",
        "native_rate": rate,
        "normalizes": bool(heard.get("do_normalize", False)),
        **({"embedding_dim": config["projection_dim"]} if clap else _shape(source, config, rate, layer or "mean")),
    }
    found: type[HuggingFace] = type("Encoder", (CLAP if clap else HuggingFace,), members)
    found.fingerprint()  # is the library there?
    return found


def _shape(source: str, config: dict[str, Any], rate: int, layer: str) -> dict[str, Any]:
    """Dimensions and frame rate of a model of waveforms."""
    if not {"conv_stride", "conv_kernel", "hidden_size", "num_hidden_layers"} <= set(config):
        kind = config.get("model_type", "of no kind that it says")
        raise UserError(f"{source}: this model, {kind}, is not read here; models of waveforms and CLAP are")
    layers = config["num_hidden_layers"] + 1
    if layer not in ("mean", "all", *map(str, range(layers))):
        raise UserError(f"{source}: #{layer} is no layer; there are #0 to #{layers - 1}, and #all")
    stride, shortest = 1, 1
    for step, kernel in zip(reversed(config["conv_stride"]), reversed(config["conv_kernel"]), strict=True):
        stride, shortest = stride * step, (shortest - 1) * step + kernel
    return {
        "embedding_dim": config["hidden_size"] * (layers if layer == "all" else 1),
        "levels": layers if layer == "all" else 1,
        "frame_rate": rate / stride,
        "shortest": -(-shortest * SAMPLE_RATE // rate) + 1,
        "first_frame": round((shortest - 1) / 2 * SAMPLE_RATE / rate),
    }


def _folder(name: str) -> Path:
    """Where a model's files are: a folder, or the family's cache."""
    if Path(name).is_dir():
        return Path(name).absolute()
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise UserError(f"{PREFIX}{name}: needs transformers: pip install 'mir-pretext[contestants]'") from error
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # its own kinds, by version
        raise UserError(
            f"{PREFIX}{name}: is no folder, and not in the cache of models on this machine; where there is a network, "
            f"'hf download {name}' puts it there"
        ) from error


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / name).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: lacks {name}, or it is not JSON; it is no model that can be read here") from error
    return found


def _model(folder: Path) -> Any:
    """The network with its weights, all of them.

    Raises:
        UserError: the library does not know it, or its files lack weights.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()  # what is not used of a file is no news, and no progress bars
    transformers.utils.logging.disable_progress_bar()
    config = _json(folder, "config.json")
    model = config.get("model_type", "")
    options: dict[str, Any] = {"local_files_only": True, "output_loading_info": True, "weights_only": True}
    known_as, beyond = _AS.get(model, (model, ()))
    if own := [name for name in beyond if config.get(name)]:
        raise UserError(f"{folder}: is a {model} with {' and '.join(own)}, which takes its authors' code")
    try:
        if model == _CLAP:
            found, loaded = transformers.ClapAudioModelWithProjection.from_pretrained(folder, **options)
        else:
            known = transformers.AutoConfig.for_model(**config | {"model_type": known_as})
            found, loaded = transformers.AutoModel.from_pretrained(folder, config=known, **options)
    except Exception as error:
        raise UserError(f"{folder}: cannot be loaded without code of its authors: {one_line(error)}") from error
    if lacking := sorted(loaded["missing_keys"]):
        raise UserError(f"{folder}: lacks {len(lacking)} of the weights of a {model}, such as {lacking[0]}")
    return found


@cache
def _digest(folder: Path) -> str:
    """Of the files that a model is made of."""
    files = sorted(path for kind in ("*.json", "*.safetensors", "*.bin") for path in folder.glob(kind))
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            found.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]
