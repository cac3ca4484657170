"""What to run: sweep files, recipes and flags, resolved and checked."""
