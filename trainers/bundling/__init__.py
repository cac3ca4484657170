"""A compressed file as a program in C: the reader, the file, and the network's layers in order."""
