"""What a reader of a cell must know before believing its numbers: a value with evidence and remedy, never a print."""

from collections.abc import Iterable

from iolab.results.records import Finding

GRAVITY = {"error": 0, "warning": 1, "note": 2}


def by_gravity(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, the gravest first."""
    return tuple(sorted(found, key=lambda finding: GRAVITY[finding.severity]))
