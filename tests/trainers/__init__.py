"""Tests of trainers: one trial, from coding up to files."""
