"""What the user passed, made canonical or one clear error. Knows no algorithm."""
