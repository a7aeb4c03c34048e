"""The closed loop: a fixed number of users, each waits for a response before its next request."""
