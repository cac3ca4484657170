"""Which trials there are, whether they can run, and what they will take."""
