"""Coordinated omission: a server that stands still, measured in two ways."""
