"""Whole sweeps through the console script, on local Ray and SQLite."""
