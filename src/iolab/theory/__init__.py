"""What queueing theory and statistics say: pure functions with their sources."""
