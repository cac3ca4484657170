"""A sweep from its beginning to its end, and what is said of it then."""
