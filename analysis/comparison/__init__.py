"""Two or more sets of points against an anchor: numbers, verdict, tables, figures, a page."""
