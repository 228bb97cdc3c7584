"""An export on the disk: weights, a configuration that says whose they are, and a model card; read back here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.modules import Encoder
from benchmark.pretrained.encoder import PretrainedEncoder

WEIGHTS, CONFIG, CARD, SCRIPT = "encoder.safetensors", "config.json", "README.md", "encoder.torchscript.pt"


class About(BaseModel):
    """`config.json`: what is needed to use the weights, and where they come from. Unknown fields are ignored.

    Attributes:
        encoder: a registered name, with the version, and of a plugin's the hash of its code, that the weights are for.
        sha256: of the weights' file.
        row: of the leaderboard; `strategy` and `options` are what it stands for.
        crops: of 3 s that it heard; None without pre-training.
        corpus: what it heard, by name and size.
        key: of the artefact in the store.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["mir-pretext encoder 1"] = "mir-pretext encoder 1"
    encoder: str
    encoder_version: int
    encoder_source: str = ""
    sha256: str
    half: bool = False
    sample_rate: int
    embedding_dim: int
    frame_rate: float
    row: str = ""
    strategy: str = ""
    options: dict[str, Any] = {}
    seed: int | None = None
    crops: float | None = None
    corpus: str = ""
    licences: dict[str, str] = {}
    labels: str = ""
    key: str = ""
    made_with: str = ""


def load(source: str | Path, device: str = "cpu") -> PretrainedEncoder:
    """Load an export, or features that nobody trained, by name.

    Args:
        source: the folder of an export; or the registered name of an encoder without weights, such as `mfcc_chroma`.
        device: where it is to compute.

    Raises:
        UserError: it is neither, or its files are not what an export wrote, or are for another version of the encoder.
    """
    folder = Path(source)
    loaded = _exported(folder) if folder.is_dir() else _without_weights(str(source))
    return loaded.to(device)


def read_about(folder: Path) -> About | None:
    """What a folder's export says of itself; None if there is none.

    Raises:
        UserError: it says nothing that this version can read.
    """
    path = folder / CONFIG
    if not path.is_file():
        return None
    try:
        return About.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"{path} is no configuration of an exported encoder that this version can read ({where}: {first['msg']}); "
            "make one with 'python -m benchmark export'"
        ) from error


def weightless(encoder: Encoder) -> bool:
    """Whether there is nothing in it to train."""
    return not any(True for _ in encoder.parameters())


def _exported(folder: Path) -> PretrainedEncoder:
    about, path = read_about(folder), folder / WEIGHTS
    if about is None or not path.is_file():
        raise UserError(
            f"{folder}: lacks {path.name if about else CONFIG}: it is no export, or not whole; export again"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != about.sha256:
        raise UserError(f"{path}: is not what {CONFIG} was written for (checksum); copy or export it again")
    encoder: Encoder = registry.encoders.get(about.encoder)()
    found = (encoder.info.version, registry.encoders.source_hash(about.encoder))
    if found != (about.encoder_version, about.encoder_source):
        raise UserError(
            f"{folder}: its weights are for version {about.encoder_version} of {about.encoder}, and here is "
            f"{f'version {found[0]}' if found[0] != about.encoder_version else 'other code of it'}, which would make "
            f"something else of them; load it with what made it ({about.made_with}), or export anew"
        )
    try:
        encoder.load_state_dict(load_file(path))  # float16 is widened where it is copied
    except (RuntimeError, SafetensorError) as error:
        raise UserError(f"{path}: does not hold the weights of {about.encoder} ({error})") from error
    return PretrainedEncoder(encoder, about.model_dump(mode="json"))


def _without_weights(name: str) -> PretrainedEncoder:
    if name not in registry.encoders.names():
        plain = [known for known in registry.encoders.names() if not registry.encoders.get(known).offers]
        raise UserError(
            f"{name}: there is no such folder, and no encoder without weights of that name ({', '.join(plain)}); give "
            "the folder that 'python -m benchmark export' wrote"
        )
    encoder = registry.encoders.get(name)()
    if not weightless(encoder):
        raise UserError(
            f"{name} has to be trained, and no trained one goes by its name; 'python -m benchmark export RESULTS ROW "
            "--to DIR' writes one, and load_encoder(DIR) loads it"
        )
    return PretrainedEncoder(encoder)
