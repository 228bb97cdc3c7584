"""The answer: statistics, tables, figures and the page, from the scores table alone."""
