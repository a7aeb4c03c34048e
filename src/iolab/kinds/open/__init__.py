"""The open loop: requests at planned times, whether or not the servers keep up."""
