"""Artefacts by content: what a job's key stands for, where its result lies, and who is making it."""
