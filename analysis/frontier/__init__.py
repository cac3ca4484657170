"""The frontier shown: its figure, its page, its table, its plot in text."""
