"""Measured points to configurations: means over seeds, the front they are on, the ones to recommend."""
