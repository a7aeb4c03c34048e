"""Queueing theory and statistics: pure functions with their sources."""
