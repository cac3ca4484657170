"""Two or more sets of points compared with an anchor: numbers, verdict, tables, figures, a page."""
