"""What a run leaves: results, histories, state, files, plots."""
