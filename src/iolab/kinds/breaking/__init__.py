"""Work that blocks an event loop, and how to find it."""
