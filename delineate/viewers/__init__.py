"""Viewers: the page that the service shows, built from ``web/`` into the folder beside this."""
