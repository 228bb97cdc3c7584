"""Encoders by name or path, for use outside of a run."""

from __future__ import annotations

from pathlib import Path

from benchmark import registry
from benchmark.encoders.exported import exported, find, shipped
from benchmark.interfaces import UserError
from benchmark.modules import Encoder
from benchmark.pretrained.encoder import PretrainedEncoder


def load(source: str | Path, device: str = "cpu") -> PretrainedEncoder:
    """Load an export, or features that nobody trained, by name.

    Args:
        source: the folder of an export, or the name of one that comes with the package; or the registered name of an
            encoder without weights, such as `mfcc_chroma`, or of one that comes with them, such as `pesto_pitch`.
        device: where it is to compute.

    Raises:
        UserError: it is neither, or its files are not what an export wrote, or are for another version of the encoder.
    """
    return (_as_it_comes(str(source)) if find(source) is None else _with_weights(source)).to(device)


def _with_weights(source: str | Path) -> PretrainedEncoder:
    encoder, about = exported(source)
    return PretrainedEncoder(encoder, about.model_dump(mode="json"))


def ready(encoder: type[Encoder]) -> bool:
    """Whether it is whole as it is built: features without weights, or weights that it comes with."""
    return not encoder.offers


def _as_it_comes(name: str) -> PretrainedEncoder:
    if name not in registry.encoders.names():
        plain = [known for known in registry.encoders.names() if not registry.encoders.get(known).offers]
        known = f", or weights that ship: {', '.join(shipped())}" if shipped() else ""
        raise UserError(
            f"{name}: there is no such folder, and no encoder of that name that needs no training "
            f"({', '.join(plain)}{known}); give the folder that 'python -m benchmark export' wrote"
        )
    kind = registry.encoders.get(name)
    if not ready(kind):
        raise UserError(
            f"{name} has to be trained, and no trained one goes by its name; 'python -m benchmark export RESULTS ROW "
            "--to DIR' writes one, and load_encoder(DIR) loads it"
        )
    kind.fingerprint()  # is what it comes with installed?
    return PretrainedEncoder(kind())
