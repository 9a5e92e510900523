"""Datasets of aligned faces, and how they are prepared."""
