"""What another program wrote before the lines of a log: it is named, so that a reader can remove it."""

import re

_LINE = (
    r"(?:\[pid +\d{1,9}\] +|\d{1,9} +)?(?:[\d:.]{5,22} +)?"
    r"(?:[a-z_]\w*\(|<\.\.\. \w+ resumed>|--- \w+ |\+\+\+ )"
)
_PREFIXES = {
    "grep -n": re.compile(r"(?:[^:\s]{1,200}:)?\d{1,9}[:-]" + _LINE, re.ASCII),
    "grep -H": re.compile(r"[^\s:(]{1,200}:" + _LINE, re.ASCII),
    "cat -n": re.compile(r" *\d{1,9}\t" + _LINE, re.ASCII),
    "docker compose logs": re.compile(r"[\w.-]{1,80} +\| " + _LINE, re.ASCII),
    "another program": re.compile(r"\S[^(\"]{0,80}?[\s:|\]>] ?" + _LINE, re.ASCII),
}


def foreign_prefix(text: str) -> str | None:
    """Name the program that may have written what stands before a line of strace; None for any other text."""
    head = text[:400]
    return next((name for name, pattern in _PREFIXES.items() if pattern.match(head)), None)
