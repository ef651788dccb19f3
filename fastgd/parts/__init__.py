"""Losses, optimizers, schedules and penalties: formulas in NumPy that kernels compile. Imports nothing else."""
