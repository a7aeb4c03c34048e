"""Crowd experiments: thousands of connections that are mostly idle."""
