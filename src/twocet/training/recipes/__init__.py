"""What happens in one round of training; ``table`` lists the recipes."""
