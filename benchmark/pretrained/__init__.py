"""What a run has pre-trained, for use elsewhere: chosen, written with a model card, loaded, asked for embeddings."""
