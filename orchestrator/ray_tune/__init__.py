"""All that knows Ray: trials on workers, Ray Tune's searcher, scheduler and callback, the actor that logs to MLflow."""
