"""Reads data files, with checksummed downloads, into arrays. Tasks make the splits."""
