"""One strategy on one task: train, embed, draw fractions, probe, score."""
