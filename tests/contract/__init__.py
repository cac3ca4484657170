"""Suites over every entry of a registry: a new entry is tested by being listed."""
