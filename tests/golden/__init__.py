"""Committed bytes and fingerprints that must not change, and how they were made."""
