"""Run the tests of a tier, and sum up: python -m tests.tiers fast|docker|load|all, as `make test` and its like do.

What measures runs alone; the rest of a tier runs in parallel. The last line counts the tests; the lines before it name
those that were tried again. With --times, tables say where the time went.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests import times

TIERS = {"fast": "not docker and not load", "docker": "docker and not load", "load": "load"}
ALONE = "measures or alone"
# How a test file says that it has such tests. A group reads no other files: to import all of them takes seconds.
SPELT = {"load": r"mark\.load\b|\bbrowser\b", **{each: rf"mark\.{each}\b" for each in ("docker", "measures", "alone")}}
# Processes for each core: tests wait for servers and containers, and each process takes 5 s of CPU time for itself.
PER_CORE = {"fast": 2.5, "docker": 2, "load": 3}
MOST_PROCESSES = 8
KINDS = ("passed", "failed", "skipped", "tried again")
TIMES = "--times"
NO_TESTS = 5  # an exit status of pytest: a tier may have no test of a group
# No test of these tiers speaks TLS. To read the certificates of a machine takes a fifth of the time in which Python imports
# aiohttp, as some two hundred programs of the tests do.
VARIABLES = {tier: {"SSL_CERT_FILE": os.devnull} for tier in ("fast", "load")}
NOT_RUN = (
    "Not run here: tests that need Docker (make test-docker), and tests with many users, several hosts or a browser\n"
    "(make test-load). make test-all runs everything."
)


class Group(NamedTuple):
    """How one call of pytest ended: tests by kind, those that were tried again, and seconds."""

    name: str
    counts: dict[str, int]
    again: list[str]
    seconds: float
    times: dict[str, times.Sums]


def groups(tier: str, *options: str) -> dict[str, list[str]]:
    """Return the calls of pytest that make up a tier, by the name of the group."""
    slow = ["--durations", "8", "--durations-min", "10", *(["-p", times.__name__] if TIMES in options else [])]
    processes = min(MOST_PROCESSES, round(PER_CORE[tier] * (os.cpu_count() or 1)))
    spread = ["-n", str(processes), "--dist", "worksteal"]
    return {
        f"{tier}, parallel": [*slow, *spread, "-m", expression(tier, alone=False)],
        f"{tier}, alone": [*slow, "-m", expression(tier, alone=True)],
    }


def expression(tier: str, *, alone: bool) -> str:
    """Return what selects the tests of a group by their marks (pytest's -m)."""
    return f"({TIERS[tier]}) and {'' if alone else 'not '}({ALONE})"


def may_have(text: str, selected: str) -> bool:
    """Return whether a test file may have tests of the group that this expression selects; of another one, True."""
    has = {mark for mark, spelt in SPELT.items() if re.search(spelt, text)}
    for tier in TIERS:
        for alone in (False, True):
            if selected == expression(tier, alone=alone):
                return (tier not in SPELT or tier in has) and (not alone or bool(has & {"measures", "alone"}))
    return True


class Pytest:
    """Runs pytest, and lets it stop its tests when we are told to end."""

    def __init__(self) -> None:
        self.ended_by: int | None = None
        self._running: subprocess.Popen[bytes] | None = None

    def listen(self) -> None:
        """Hear Ctrl-C, which reaches pytest by itself, and SIGTERM, which may reach us alone."""
        signal.signal(signal.SIGINT, self._end)
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, signum: int, _: object) -> None:
        self.ended_by = signum
        if self._running and signum == signal.SIGTERM:
            self._running.send_signal(signal.SIGINT)

    def run(self, arguments: list[str], variables: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Run pytest with these variables, too; return its status and what tests/conftest.py has counted."""
        with tempfile.TemporaryDirectory() as folder:
            counts, sums = Path(folder) / "counts.json", Path(folder) / "times.json"
            environment = {**os.environ, **variables, "IOLAB_TEST_COUNTS": str(counts), times.VARIABLE: str(sums)}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the tests start Python hundreds of times
            with subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=environment) as self._running:
                if self.ended_by is not None:  # while it started
                    self._running.send_signal(signal.SIGINT)
                status = self._running.wait()
            self._running = None
            found = json.loads(counts.read_text()) if counts.exists() else {}
            return status, {**found, "times": json.loads(sums.read_text())} if sums.exists() else found


def main(tier: str, pytest: Pytest, *options: str) -> int:
    """Run one tier or all; return 1 if any group failed, 128 and the number of the signal that ended it."""
    done, failed = [], False
    for each in TIERS if tier == "all" else (tier,):
        for name, arguments in groups(each, *options).items():
            print(f"\n{name}: pytest {' '.join(arguments)}", flush=True)
            began = time.monotonic()
            status, found = pytest.run(arguments, VARIABLES.get(each, {}))
            if pytest.ended_by is not None:
                return 128 + pytest.ended_by
            failed = failed or status not in (0, NO_TESTS) or not found
            took_s = time.monotonic() - began
            done.append(Group(name, found.get("counts", {}), found.get("again", []), took_s, found.get("times", {})))
    show(done)
    if tier == "fast":
        print(NOT_RUN)
    total = {kind: sum(group.counts.get(kind, 0) for group in done) for kind in KINDS}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return int(failed or not total["passed"])


def show(done: list[Group]) -> None:
    """Print where the time went, if that was asked for, a line a group, and the names of what was tried again."""
    for group in done:
        if group.times:
            print(f"\n### {group.name}, {group.seconds:.0f} s\n\n{times.tables(group.times)}")
    print(f"\n{'':18}{''.join(f'{kind:>13}' for kind in KINDS)}{'time':>10}")
    for group in done:
        print(f"{group.name:18}{''.join(f'{group.counts.get(kind, 0):13}' for kind in KINDS)}{group.seconds:8.0f} s")
    again = [name for group in done for name in group.again]
    print(f"Tried again: {len(again)} {'test' if len(again) == 1 else 'tests'}{':' if again else ''}")
    for name in again:
        print(f"  {name}")


if __name__ == "__main__":
    if sys.argv[1:2] not in [[name] for name in (*TIERS, "all")] or sys.argv[2:] not in ([], [TIMES]):
        sys.exit(f"tests.tiers: give one of {', '.join(TIERS)}, all; {TIMES} after it says where the time goes")
    this = Pytest()
    this.listen()
    sys.exit(main(sys.argv[1], this, *sys.argv[2:]))
