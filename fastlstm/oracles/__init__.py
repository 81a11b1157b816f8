"""Second opinions: the unit in plain NumPy and in arithmetic of any precision, neither of which uses the kernels."""
