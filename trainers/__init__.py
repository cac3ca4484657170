"""One trial: train a network so that it compresses, write it to a file, score what the file decodes to."""
