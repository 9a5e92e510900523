"""Methods and baselines trained alike and compared."""
