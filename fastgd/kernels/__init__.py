"""Everything Numba compiles besides the parts' methods. No kernel imports the API above it."""
