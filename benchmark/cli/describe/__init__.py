"""`data describe`: what was understood of tables and corpora, before anything runs."""
