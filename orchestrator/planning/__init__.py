"""Decides which trials there are, whether they can run, which are tried again, and how long all take."""
