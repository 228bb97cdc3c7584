"""Data sets from where their makers publish them: sources with checksums, a download that goes on, safe unpacking."""
