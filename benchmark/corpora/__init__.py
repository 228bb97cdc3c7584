"""Sound on disk: readers of the field's data sets, and the embedded corpora that are rendered on the spot."""
