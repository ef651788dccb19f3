"""Minimise a user's own function. Knows no rows."""
