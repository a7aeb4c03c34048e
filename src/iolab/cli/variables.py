"""Variables of make that a command does not take are refused: an ignored option is a wrong result."""

import os
import re
from collections.abc import Collection
from difflib import get_close_matches

import click

from iolab.errors import UsageError

# Of Docker Compose, of make, and of the installation: every command may need them.
COMMON = re.compile(
    r"\w+_PORT|BIND|BASE_IMAGE|PIP_\w+|UV_\w+|\w+_proxy|\w+_PROXY|CA_FILE|COMPOSE_\w+|DOCKER_\w+|LAB_[UG]ID|LAB_LANG|PYTHON|TIMES"
    r"|ALLOWED_HOSTS|REMOTE_TARGETS|SHELL|TMPDIR|PATH|HOME|LANG|LC_\w+|\w*FLAGS|PYTEST_\w+|IOLAB_\w+"
)
STANDING = ("up", "trace", "trace-compare")  # they take the settings of the servers that Compose has
OF_SERVERS = {"CPUS", "WAIT_MS", "WAIT_DISTRIBUTION", "CPU_MS", "BACKLOG", "THREADS", "LOOP", "LOADS"}
_NAMES = re.compile(r"(?:^|(?<!\\)\s)([A-Za-z_]\w*)=")


def check(command: click.Command) -> None:
    """Raise UsageError if make's command line has a variable that the command does not take."""
    given = typed(os.environ.get("MAKEFLAGS", ""))
    taken = {str(each.envvar) for each in command.params if each.envvar}
    allowed = taken | (OF_SERVERS if command.name in STANDING else set())
    for name in given:
        if name not in allowed and not COMMON.fullmatch(name):
            raise UsageError(f"{name}: make {command.name} does not take it{_instead(name, taken)}")


def typed(flags: str) -> list[str]:
    """Return the names of the variables on make's command line, of MAKEFLAGS; values may have anything in them."""
    _, dashes, variables = flags.partition("-- ")
    return list(dict.fromkeys(_NAMES.findall(variables if dashes else flags)))


def _instead(name: str, taken: Collection[str]) -> str:
    if near := get_close_matches(name, taken, 1):
        return f": did you mean {near[0]}?"
    return f"; it takes {', '.join(sorted(taken))}" if taken else ""
