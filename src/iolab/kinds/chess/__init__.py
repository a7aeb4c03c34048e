"""A simultaneous chess exhibition: one master, many boards."""
