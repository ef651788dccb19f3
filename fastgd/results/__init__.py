"""The outcome of a run: results, histories, states, files, plots."""
