"""Pretext: which self-supervised pretext task to pre-train with, for which music task, at how many labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.pretrained.encoder import PretrainedEncoder

__version__ = "0.1.0"


def load_encoder(source: str | Path, device: str = "cpu", plugin: str | Path | None = None) -> PretrainedEncoder:
    """Load an encoder that `python -m benchmark export` wrote, frozen; its `embed` takes arrays, files and folders.

    Args:
        source: the folder of an export, the name of one that comes with the package (`simclr`), or of an encoder that
            needs no training here (`mfcc_chroma`, `informed`, `pesto_pitch`).
        device: where it is to compute.
        plugin: the file that defines the exported encoder's class, where that is no installed package's.

    Raises:
        UserError: there is no such thing, or it is not what an export wrote.
    """
    from benchmark import registry
    from benchmark.pretrained.package import load  # torch, pandas: only who loads an encoder waits for them

    if plugin is not None:
        registry.load_plugins([Path(plugin)])
    return load(source, device)
