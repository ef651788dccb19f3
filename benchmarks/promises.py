"""What the registry's cases can't say: fastgd against bounds of the machine and against itself, and whole processes."""

from . import fit_comparisons, lane_comparisons, processes, sparse_comparisons

COMPARISONS = fit_comparisons.COMPARISONS + lane_comparisons.COMPARISONS + sparse_comparisons.COMPARISONS
LIMITS = processes.LIMITS
