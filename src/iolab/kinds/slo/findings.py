"""Findings of a search: the trials that are not valid, and those of the machine and the load generator during it."""

from iolab.kinds.slo.analysis import SloAnalysis
from iolab.kinds.slo.plan import Found
from iolab.report import doubts, numbers
from iolab.results.records import Finding


def of_server(analysis: SloAnalysis, found: Found) -> list[Finding]:
    """Return the findings of one server's search; a trial that is not valid is named by its rate."""
    records = [record for record in analysis.records if record.model == found.letter]
    invalid = [
        finding.model_copy(
            update={"message": f"{found.letter} at {numbers.slow_rate(record.rate_rps)}: {finding.message}"}
        )
        for record in records
        for finding in doubts.invalid(record)
    ]
    return [*invalid, *doubts.during(analysis.run, records, records[0].cpus)]
