"""Published findings, held against a grid's own scores."""
