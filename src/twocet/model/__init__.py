"""A trained model: its file, its export, its strength."""
