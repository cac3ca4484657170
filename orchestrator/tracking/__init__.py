"""MLflow, written: runs, parameters, metrics, tags, and the views of its UI."""
