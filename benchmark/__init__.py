"""Pretext: which self-supervised pretext task to pre-train with, for which music task, at how many labels."""

__version__ = "0.1.0"
