"""An export on the disk: weights, a configuration that says whose they are, and a model card; read back here.

Some come with the package, a folder each, and are found by name.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.modules import Encoder

WEIGHTS, CONFIG, CARD, SCRIPT = "encoder.safetensors", "config.json", "README.md", "encoder.torchscript.pt"
#: below `benchmark`: exports that come with the package, a folder each
SHIPPED = "shipped"


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


def shipped() -> dict[str, Path]:
    """The exports that come with the package, by name; there may be none."""
    folder = Path(str(files("benchmark"))) / SHIPPED
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CONFIG}"))}


def find(source: str | Path) -> Path | None:
    """The folder that is meant by a path, or by the name of what comes with the package; None if there is neither."""
    folder = Path(source)
    return folder if folder.is_dir() else shipped().get(str(source))


def called(folder: Path) -> str:
    """What finds an export again: its name, if it comes with the package, or else its path."""
    return next((name for name, own in shipped().items() if own == folder), str(folder))


def about_of(source: str | Path) -> tuple[Path, About]:
    """An export's folder, and what it says of itself.

    Raises:
        UserError: there is none, or it is not whole.
    """
    folder = find(source)
    if folder is None:
        known = f", or one of {', '.join(shipped())}" if shipped() else ""
        raise UserError(f"{source}: there is no such folder; give one that 'python -m benchmark export' wrote{known}")
    about = read_about(folder)
    if about is None or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder}: lacks {WEIGHTS if about else CONFIG}: it is no export, or not whole; export again")
    return folder, about


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


def exported(source: str | Path) -> tuple[Encoder, About]:
    """An export's encoder with its weights.

    Raises:
        UserError: there is none, its files are not what an export wrote, or are for another version of the encoder.
    """
    folder, about = about_of(source)
    path = folder / WEIGHTS
    if hashlib.sha256(path.read_bytes()).hexdigest() != about.sha256:
        raise UserError(f"{path}: is not what {CONFIG} was written for (checksum); copy or export it again")
    check_version(folder, about)
    encoder: Encoder = registry.encoders.get(about.encoder)()
    try:
        encoder.load_state_dict(load_file(path))  # float16 is widened where it is copied
    except (RuntimeError, SafetensorError) as error:
        raise UserError(f"{path}: does not hold the weights of {about.encoder} ({error})") from error
    return encoder, about


def check_version(folder: Path, about: About) -> None:
    """Make sure that weights are for the encoder that is here.

    Raises:
        UserError: they are for another version, or other code, of it.
    """
    found = (registry.encoders.get(about.encoder).info.version, registry.encoders.source_hash(about.encoder))
    if found != (about.encoder_version, about.encoder_source):
        raise UserError(
            f"{folder}: its weights are for version {about.encoder_version} of {about.encoder}, and here is "
            f"{f'version {found[0]}' if found[0] != about.encoder_version else 'other code of it'}, which would make "
            f"something else of them; load it with what made it ({about.made_with}), or export anew"
        )
