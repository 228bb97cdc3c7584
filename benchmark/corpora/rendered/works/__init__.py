"""Written music: read from the scores that pip packages bring, grouped by kinship, kept as note tables."""
