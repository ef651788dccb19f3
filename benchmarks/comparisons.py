"""fastgd against bounds of the machine, against itself and on models of users: what the registry's cases can't say."""

from . import fit_comparisons, lane_comparisons, network_comparisons, scaling, sparse_comparisons

MODULES = fit_comparisons, lane_comparisons, sparse_comparisons, network_comparisons, scaling
COMPARISONS = sum((module.COMPARISONS for module in MODULES), ())
