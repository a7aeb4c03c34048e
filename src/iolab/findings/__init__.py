"""What a reader of a cell must know before believing its numbers: a value with evidence and remedy, never a print."""

from collections.abc import Callable, Iterator, Sequence

from iolab.findings import machine
from iolab.findings.evidence import Evidence
from iolab.kinds.closed import findings as load
from iolab.kinds.closed import repeats
from iolab.results.records import Finding

__all__ = ["GRAVITY", "RULES", "Evidence", "findings"]

GRAVITY = {"error": 0, "warning": 1, "note": 2}

RULES: Sequence[Callable[[Evidence], Iterator[Finding]]] = (
    load.invalid_trials,
    load.fewer_sent,
    load.listen_queue_overflowed,
    load.littles_law_broken,
    load.few_requests_a_user,
    machine.throttled,
    load.short_for_the_quota,
    machine.shared_cores,
    machine.not_pinned,
    load.loadgen_was_the_bottleneck,
    repeats.repeats_disagree,
    machine.busy_machine,
    load.retransmissions,
    machine.clock_trouble,
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings of a cell, the gravest first."""
    found = [finding for rule in RULES for finding in rule(evidence)]
    return tuple(sorted(found, key=lambda finding: GRAVITY[finding.severity]))
