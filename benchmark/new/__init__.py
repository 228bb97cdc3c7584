"""A package of one's own: a strategy, task, encoder or corpus that runs, to be changed into what is meant."""
