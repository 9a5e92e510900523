"""The machine: devices, processes, random numbers, files that are whole or absent."""
