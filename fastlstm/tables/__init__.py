"""Rows, counts, regimes and tables, made from the columns that the kernel fills."""
