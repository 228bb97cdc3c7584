"""Many experiments: grid, plan, jobs, walk, store."""
