"""Generator, encoder and discriminator. Nothing is imported here: the configuration must come without torch."""
