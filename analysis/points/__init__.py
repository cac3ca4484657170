"""Where points come from: MLflow, exported folders, and the rows that papers print."""
