"""Frozen contestants: what others have trained, as it comes; each row brings its encoder."""

from __future__ import annotations

from typing import ClassVar

from benchmark.encoders.contestants.hf import encoder_of
from benchmark.interfaces import Info
from benchmark.modules import Encoder, Strategy


class Contestant(Strategy):
    """No pre-training here.

    Class attributes:
        heard: what it was trained on, by those who did, and with which labels if any.
    """

    family = "frozen contestant"
    trains = False
    heard: ClassVar[str]

    @classmethod
    def variant(cls, encoder: type[Encoder]) -> str:
        """That nothing was trained here, and what it has heard elsewhere."""
        return f"frozen, heard: {cls.heard}"


class CREPE(Contestant):
    """A pitch tracker trained with labels; needs a GPU, or patience."""

    info = Info("crepe", "CREPE, frozen", "Kim et al. 2018", version=1)
    encoder_name = "crepe"
    heard = "singing and instruments with f0"


class CREPETiny(Contestant):
    """A pitch tracker trained with labels, the smallest of its family."""

    info = Info("crepe_tiny", "CREPE tiny, frozen", "Kim et al. 2018", version=1)
    encoder_name = "crepe_tiny"
    heard = "singing and instruments with f0"


class PESTOPitch(Contestant):
    """A pitch tracker trained by transposition, without labels."""

    info = Info("pesto_pitch", "PESTO as released, frozen", "Riou et al. 2023, 2025", version=1)
    encoder_name = "pesto_pitch"
    heard = "MIR-1K"


def load(source: str) -> list[type]:
    """The encoder and the row of `--plugin hf:NAME`, a model of the transformers family."""
    encoder = encoder_of(source)
    members = {
        "__doc__": f"{encoder.info.title}.",
        "info": encoder.info,
        "encoder_name": encoder.info.name,
        "heard": "see its model card",
    }
    return [encoder, type("Row", (Contestant,), members)]
