"""Pages, figures and comparisons of runs; matplotlib is imported where something is drawn."""
