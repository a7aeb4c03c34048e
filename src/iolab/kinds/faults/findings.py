"""Findings of faults: lost clicks, limits, and what else the machine did."""

from collections.abc import Iterator

from iolab.findings import by_gravity
from iolab.kinds.faults.records import FaultRecord
from iolab.report import doubts
from iolab.results.records import Finding
from iolab.results.run_info import RunInfo


def unsafe_clicks(record: FaultRecord) -> Iterator[Finding]:
    """An acknowledged click is lost, or it is not known whether it is."""
    if not record.valid or record.acknowledged_clicks_safe:
        return
    clicks = record.clicks
    message = f"the server's log contains none of the {clicks.answered:,} acknowledged clicks"
    if clicks.lost or clicks.unrecorded:
        message = (
            f"of {clicks.answered:,} acknowledged clicks, {clicks.lost or 0:,} are missing in the rows on disk, and"
            f" {clicks.unrecorded or 0:,} in the server's log"
        )
    yield Finding(
        id="unsafe_clicks",
        severity="error",
        message=message,
        remedy="compare the clicks in samples/ with the server's log: an acknowledged click must be in both",
        value=(clicks.lost or 0) + (clicks.unrecorded or 0) or clicks.answered,
    )


def capped(record: FaultRecord) -> Iterator[Finding]:
    """A limit of the machine allowed fewer users than the experiment wants."""
    if record.capped:
        message = record.capped.rstrip(".")
        yield Finding(
            id="capped",
            severity="note",
            message=message,
            remedy="raise that limit, and run it again",
            value=1 - record.allowed / record.asked,
        )


def findings(record: FaultRecord, run: RunInfo) -> tuple[Finding, ...]:
    """Return all findings of a fault, the most severe first."""
    return by_gravity([*unsafe_clicks(record), *capped(record), *doubts.of_record(run, record, record.cpus)])
