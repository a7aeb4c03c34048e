"""Where `iolab` begins: ready to be interrupted before the rest is imported, which takes half a second."""

import sys

from iolab.host.signals import Interrupted, delayed, interruptible


def main() -> None:
    """Run the command line, and end with its status."""
    try:
        with interruptible():
            with delayed():  # a library may lose an interruption of its import
                from iolab.cli.main import run  # noqa: PLC0415

            sys.exit(run())
    except Interrupted as interrupted:
        sys.exit(interrupted.exit_status)


if __name__ == "__main__":
    main()
