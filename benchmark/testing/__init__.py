"""Conformance checks that every entry must pass; public, so that a plugin's author runs the same ones."""

from benchmark.testing.modules import check_encoder, check_strategy, random_batch
from benchmark.testing.tasks import check_task

__all__ = ["check_encoder", "check_strategy", "check_task", "random_batch"]
