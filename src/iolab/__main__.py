"""`python -m iolab` is `iolab`."""

from iolab.cli import main

main()
