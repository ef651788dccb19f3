"""The benchmarks: one registry of cases (``cases.py``), read by ``python -m benchmarks`` and by pytest-benchmark."""
