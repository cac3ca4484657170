"""What shows a sweep while it runs: a live picture on a terminal, plain lines, or lines of JSON for machines."""
