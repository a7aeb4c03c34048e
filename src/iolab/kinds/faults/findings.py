"""Of a fault: whether its clicks are safe, and whether the machine was."""

from collections.abc import Iterator

from iolab.findings import by_gravity, machine
from iolab.kinds.faults.records import FaultRecord
from iolab.results.records import Finding, RunInfo


def unsafe_clicks(record: FaultRecord) -> Iterator[Finding]:
    """A click that was acknowledged is lost, or is not known to be safe."""
    if not record.valid or record.acknowledged_clicks_safe:
        return
    clicks = record.clicks
    message = f"the server wrote down none of {clicks.answered:,} acknowledged clicks"
    if clicks.lost or clicks.unrecorded:
        message = (
            f"of {clicks.answered:,} acknowledged clicks, {clicks.lost or 0:,} are missing in the rows on disk, and"
            f" {clicks.unrecorded or 0:,} in what the server wrote down"
        )
    yield Finding(
        id="unsafe_clicks",
        severity="error",
        message=message,
        remedy="compare the clicks in samples/ with the server's log: an acknowledged click must be in both",
    )


def capped(record: FaultRecord) -> Iterator[Finding]:
    """A limit of the machine allowed fewer users than the experiment asks for."""
    if record.capped:
        message = record.capped.rstrip(".")
        yield Finding(id="capped", severity="note", message=message, remedy="raise that limit, and run it again")


def findings(record: FaultRecord, run: RunInfo) -> tuple[Finding, ...]:
    """Return all findings of a fault, the gravest first."""
    of_the_machine = machine.during(run, [record], record.cpus)
    return by_gravity([*unsafe_clicks(record), *capped(record), *of_the_machine])
