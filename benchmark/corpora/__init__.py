"""Sound on disk: one reader per corpus."""
