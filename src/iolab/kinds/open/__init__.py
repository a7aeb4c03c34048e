"""The open loop: planned arrivals, whether or not the servers keep up."""
