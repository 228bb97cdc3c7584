"""`bench`: how fast stages are, beside what people would use instead, and how runs grow."""
