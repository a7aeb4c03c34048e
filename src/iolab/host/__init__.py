"""The machine: cores, limits, what it does, programs and signals."""
