"""What whole tracks are called: genre, mood, tags."""
