"""A crowd: thousands of connections that are mostly idle."""
