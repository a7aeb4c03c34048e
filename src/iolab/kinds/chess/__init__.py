"""A chess master who plays many games at once."""
