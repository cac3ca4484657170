"""Numbers to bytes and back: frequency tables, the range coder, the ``.rfz`` container."""
