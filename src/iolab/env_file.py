"""Reads .env as Docker Compose reads it, or refuses the line; the form is that of python-dotenv."""

import io
import re
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from iolab.errors import UsageError

# Compose also inserts $NAME, reads $$ as $, and has ${NAME-...}; python-dotenv inserts ${NAME} and ${NAME:-...} alone.
OTHERWISE = re.compile(r"(?<!\\)\$(?:[A-Za-z_$]|\{\w+(?!\w|\}|:-))")


def read(path: Path) -> dict[str, str]:
    """Return the variables of a .env file, {} without one; raises UsageError for what Compose reads differently."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}") from error
    for binding in parse_stream(io.StringIO(text)):
        where = f"{path.name}, line {binding.original.line}"
        if binding.error:
            raise UsageError(f"{where}: it is not of the form NAME=value")
        literal = binding.original.string.partition("=")[2].lstrip().startswith("'")
        if literal and "${" in (binding.value or ""):
            raise UsageError(f"{where}: {binding.key} has ${{ between '...', which Compose reads as text: leave it out")
        if not literal and OTHERWISE.search(binding.value or ""):
            raise UsageError(f"{where}: in {binding.key}, write a variable as ${{NAME}}, or a $ between '...'")
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}
