"""Many trials: sweeps, their search and scheduling on Ray, and what is logged of them to MLflow."""

import os

# Set before Ray or MLflow is imported anywhere: neither reports home unless the user turned that on.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
