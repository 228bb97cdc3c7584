"""Anybody's table of audio files: one reader of tracks, labels, warnings and errors, for whoever asks."""
