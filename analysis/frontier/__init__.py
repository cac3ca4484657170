"""What shows the frontier: its figure, its page, its table, its plot in text."""
