"""A network that somebody has, compressed without a training: its files at several steps, and the one to ship."""
