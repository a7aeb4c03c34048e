"""Makes strace logs: runs programs under strace, in a container or as local processes, and presses their buttons."""
