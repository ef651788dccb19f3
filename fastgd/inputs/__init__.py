"""The user's input, made canonical, or one clear error. Knows no algorithm."""
