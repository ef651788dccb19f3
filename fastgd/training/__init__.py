"""The loop between slices of work, for any solver: monitoring, stopping rules, learning-rate back-off."""
