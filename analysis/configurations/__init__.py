"""From points to configurations: means over seeds, the front, the best, the ones to recommend, what settings matter."""
