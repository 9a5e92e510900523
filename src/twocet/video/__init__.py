"""Films: clips read and written, faces tracked and edited."""
