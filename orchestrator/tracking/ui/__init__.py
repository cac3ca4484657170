"""What MLflow's UI shows of a sweep: prepared views, colours, tables and a note; links into it, and its server."""
