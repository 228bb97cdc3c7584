"""From crops to a pre-trained encoder: the budget, the loop and its checkpoints, the monitors that watch it."""
