"""The embedded corpora: written music, arranged and rendered on the spot, its labels true by construction."""
