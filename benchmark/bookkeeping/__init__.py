"""What is kept of a run: its record, scores collected, mirror, archives, and how far it is."""
