"""Writes to MLflow: runs, parameters, metrics, tags, and what its UI shows."""
