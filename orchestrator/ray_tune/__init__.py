"""Everything that is Ray's: trials on workers, the searcher, the scheduler, the actor that logs to MLflow."""
