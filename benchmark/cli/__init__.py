"""The command line: one file per group of commands, what they share, and how they show progress."""
