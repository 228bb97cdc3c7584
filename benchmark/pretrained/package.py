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
            encoder without weights, such as `mfcc_chroma`.
        device: where it is to compute.

    Raises:
        UserError: it is neither, or its files are not what an export wrote, or are for another version of the encoder.
    """
    return (_without_weights(str(source)) if find(source) is None else _with_weights(source)).to(device)


def _with_weights(source: str | Path) -> PretrainedEncoder:
    encoder, about = exported(source)
    return PretrainedEncoder(encoder, about.model_dump(mode="json"))


def weightless(encoder: Encoder) -> bool:
    """Whether there is nothing in it to train."""
    return not any(True for _ in encoder.parameters())


def _without_weights(name: str) -> PretrainedEncoder:
    if name not in registry.encoders.names():
        plain = [known for known in registry.encoders.names() if not registry.encoders.get(known).offers]
        known = f", or weights that ship: {', '.join(shipped())}" if shipped() else ""
        raise UserError(
            f"{name}: there is no such folder, and no weightless encoder of that name ({', '.join(plain)}{known}); "
            "give the folder that 'python -m benchmark export' wrote"
        )
    encoder = registry.encoders.get(name)()
    if not weightless(encoder):
        raise UserError(
            f"{name} has to be trained, and no trained one goes by its name; 'python -m benchmark export RESULTS ROW "
            "--to DIR' writes one, and load_encoder(DIR) loads it"
        )
    return PretrainedEncoder(encoder)
