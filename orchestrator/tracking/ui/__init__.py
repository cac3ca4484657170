"""How sweeps meet those who look at them in MLflow's UI: its prepared views, links into it, the sweep's note."""
