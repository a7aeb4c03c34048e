"""Chat servers and the users that stay connected to them: what the kinds of experiments with a crowd share."""
