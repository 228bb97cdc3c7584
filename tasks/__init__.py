"""Downstream tasks, one file per entry."""
