"""What a run leaves on disk: a folder, a line a trial, rows in files. It is independent of the kinds of experiments."""
