"""Pretext tasks, one file per entry; losses, heads and EMA are shared and pure."""
