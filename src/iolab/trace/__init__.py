"""Reads strace logs and tells what they show; starts nothing, so any log from anywhere will do."""
