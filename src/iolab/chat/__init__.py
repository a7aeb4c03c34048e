"""Chat servers and the users that stay connected to them: shared by kinds that hold many connections."""
