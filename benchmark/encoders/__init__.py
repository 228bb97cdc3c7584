"""Encoders: waveform to frame embeddings, one file each."""
