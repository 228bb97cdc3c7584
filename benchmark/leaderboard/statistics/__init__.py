"""What the scores say: cells with intervals, pairs that differ, one order over tasks, all as tables."""
