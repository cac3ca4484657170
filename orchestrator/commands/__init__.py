"""The commands, one function each, in files by what they work on."""
