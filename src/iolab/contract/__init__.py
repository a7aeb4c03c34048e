"""The contract of a server, as promises that are checked from outside: `iolab contract`."""
