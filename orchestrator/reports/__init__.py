"""What measured sweeps become: frontiers, comparisons, reports, exported folders."""
