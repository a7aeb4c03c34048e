"""Findings: what a reader of a cell must know to trust its numbers, each a value with evidence and remedy."""

from collections.abc import Iterable

from iolab.results.records import Finding

NOT_CHECKED = "not_checked"  # the id of a finding: something could not be looked at, so it is not known to be fine
GRAVITY = {"error": 0, "warning": 1, "note": 2}


def by_gravity(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, the most severe first."""
    return tuple(sorted(found, key=lambda finding: GRAVITY[finding.severity]))
