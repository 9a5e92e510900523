"""Training: recipes, rounds, checkpoints, records."""
