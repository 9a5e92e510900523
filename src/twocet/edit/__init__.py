"""Editing the expression of a face in a photo."""
