"""The registry: every case and every limit."""

from . import fit_cases, lane_cases, process_cases, sparse_cases

CASES = fit_cases.CASES + lane_cases.CASES + sparse_cases.CASES
LIMITS = process_cases.LIMITS
