"""Numbered examples: in memory, mapped, read from files or computed; and the batch of any training step."""
