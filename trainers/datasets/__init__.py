"""Files to arrays: readers and checksummed downloads. Splits are the tasks' to make."""
