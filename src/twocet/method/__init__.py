"""The paper's method: its equations, cycles, codes, schedules and averages."""
