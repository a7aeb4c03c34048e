"""Reads strace logs and explains them; it starts no process, so a log from any machine can be read."""
