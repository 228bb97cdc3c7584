"""Tables and figures for a terminal, a page and a paper."""
