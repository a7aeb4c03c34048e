"""Makes logs to tell stories of: runs programs under strace, in a container or here, and presses their buttons."""
