"""Kinds of experiments, a package each."""
