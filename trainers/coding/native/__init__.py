"""A reader of ``.rfz`` files in C99, for machines without Python: see rfz.h and docs/shipping.md."""
