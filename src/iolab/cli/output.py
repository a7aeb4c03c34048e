r"""The only way to the terminal, with cli/console.py: text from logs, runs, files and messages cannot control it.

An escape sequence in the text could set the window's title, move the cursor, or hide what follows. So control
characters are printed as Python writes them, such as `\x1b`.
"""

import re
import sys

import click

# C0 except tab and line feed, DEL, C1, marks that change the direction of text, halves of a character.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return text with its control characters as escapes."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def line(text: str, *, err: bool = False) -> None:
    """Print plain text."""
    click.echo(visible(text), err=err)


def prepare() -> None:
    """Print what the terminal's encoding lacks as a question mark, instead of failing after a measurement."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def question(text: str) -> None:
    """Print a question, which is answered on the same line."""
    click.echo(visible(text), nl=False)
