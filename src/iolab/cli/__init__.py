"""The command line: `main` has the table of commands; only this package prints."""
