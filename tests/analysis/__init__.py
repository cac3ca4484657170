"""Tests of `analysis`: frontiers, loading, figures and tables."""
