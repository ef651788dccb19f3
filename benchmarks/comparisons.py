"""fastgd against bounds of the machine and against itself: what the registry's cases can't say."""

from . import fit_comparisons, lane_comparisons, scaling, sparse_comparisons

MODULES = fit_comparisons, lane_comparisons, sparse_comparisons, scaling
COMPARISONS = sum((module.COMPARISONS for module in MODULES), ())
