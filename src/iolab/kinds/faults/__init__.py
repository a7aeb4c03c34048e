"""Faults: what goes wrong with a crowd and its server."""
