"""Models that others have trained, as they come: rows beside ours, never trained here."""
