"""What teaches from pairs of photos and from landmarks."""
