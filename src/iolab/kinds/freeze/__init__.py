"""Coordinated omission: a frozen server, measured in two ways."""
