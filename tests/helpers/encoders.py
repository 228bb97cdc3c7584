"""Encoders that can be built on this machine in no time."""

from __future__ import annotations

from benchmark import registry
from benchmark.encoders.contestants.contestant import Contestant


def buildable() -> list[str]:
    """All registered ones but contestants whose package is not installed, and the one that is by far the largest."""
    names = [name for name in registry.encoders.names() if name != "crepe"]
    loaded = {name: registry.encoders.get(name) for name in names}
    return [n for n, cls in loaded.items() if not issubclass(cls, Contestant) or cls.installed()]
