"""What tasks of a kind share: targets, decoding, metrics. A task adds its data, labels and conventions."""
