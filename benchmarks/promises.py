"""What the registry's cases can't say: fastgd against bounds of the machine and against itself, and whole processes."""

from . import fit_comparisons, lane_comparisons, processes, scaling, sparse_comparisons

MODULES = fit_comparisons, lane_comparisons, sparse_comparisons, scaling
COMPARISONS = sum((module.COMPARISONS for module in MODULES), ())
LIMITS = processes.LIMITS
