"""From a grid to finished jobs: plan, estimate, try out, walk, and the executors that run them."""
