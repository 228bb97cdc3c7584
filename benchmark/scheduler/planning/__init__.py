"""Grid to jobs: which there are, what each depends on, and so the key under which its result will lie."""
