"""What a run leaves on disk: a folder, a line a trial, rows in files. It knows no kind of experiment."""
