"""The closed loop: a fixed number of users, each of whom waits for an answer before the next request."""
