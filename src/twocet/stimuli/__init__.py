"""Stimuli for experiments: exact continua."""
