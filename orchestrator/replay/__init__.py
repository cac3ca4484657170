"""Searchers and schedulers tried on a sweep that ran, in simulated time."""
