"""Files to tensors: readers, checksummed downloads, and how training data is split."""
