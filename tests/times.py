"""Where the time of the tests goes, by file and by fixture: a plugin of pytest, which `make test TIMES=1` loads.

A fixture's seconds are those of its own setup, without the fixtures that it takes.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "IOLAB_TEST_TIMES"  # the file for the sums
PHASES = ("setup", "call", "teardown")
LEAST_S = 1.0  # what took less is one line
Sums = Mapping[str, Mapping[str, float]]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[None]:
    """Note the time in the test's properties, which reach the process that reports."""
    began = time.perf_counter()
    try:
        return (yield)
    finally:
        took_s = time.perf_counter() - began
        request._pyfuncitem.user_properties.append(("fixture", (fixturedef.argname, took_s)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [each for group in terminalreporter.stats.values() for each in group if hasattr(each, "duration")]
    files: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("tests", *PHASES), 0.0))
    fixtures: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("uses", "seconds"), 0.0))
    for report in reports:
        file = files[report.nodeid.split("::")[0]]
        file[report.when] += report.duration
        if report.when == "teardown":  # the last report has all of a test's properties
            file["tests"] += 1
            for name, took_s in (value for key, value in report.user_properties if key == "fixture"):
                fixtures[name]["uses"] += 1
                fixtures[name]["seconds"] += took_s
    Path(os.environ[VARIABLE]).write_text(json.dumps({"files": files, "fixtures": fixtures}))


def tables(found: Mapping[str, Sums]) -> str:
    """Return both sums as Markdown, longest first."""
    files = {name: (sums["tests"], *(sums[phase] for phase in PHASES)) for name, sums in found["files"].items()}
    fixtures = {name: (sums["uses"], sums["seconds"]) for name, sums in found["fixtures"].items()}
    return _table(("file", "tests", *PHASES), files) + "\n" + _table(("fixture", "uses", "setup"), fixtures)


def _table(head: tuple[str, ...], rows: Mapping[str, tuple[float, ...]]) -> str:
    """Return a table of a name, a count and seconds a line; the last two lines are what is short, and the sum."""
    ordered = sorted(rows.items(), key=lambda row: -sum(row[1][1:]))
    long = [(name, row) for name, row in ordered if sum(row[1:]) >= LEAST_S]
    short = [row for _, row in ordered[len(long) :]]
    columns = range(len(head) - 1)
    ends = [
        (f"{words}: {len(group)} {head[0]}s", tuple(sum(row[column] for row in group) for column in columns))
        for group, words in ((short, f"less than {LEAST_S:g} s each"), (list(rows.values()), "together"))
    ]
    lines = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
    for name, (count, *seconds) in [*long, *ends]:
        lines.append(f"| {name} | {count:.0f} | {' | '.join(f'{each:.1f} s' for each in seconds)} |")
    return "\n".join(lines) + "\n"
