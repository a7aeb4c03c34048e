"""Observes a measured server under some simultaneous requests: system calls, context switches and time."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import UsageError
from iolab.host import proc
from iolab.lab import Lab, Model
from iolab.live import asking, server
from iolab.live.app import Say
from iolab.runtime.compose import Engine
from iolab.trace.costs import Switches

REQUESTS = 16
LOAD_LIMIT_S = 60.0
SETTLE_S = 0.5


@dataclass(frozen=True)
class Observed:
    """Observations of a server: the log of the traced run and the time of its load, and the run without strace."""

    log: Path
    start_s: float
    end_s: float
    switches: Switches | None
    seconds: float


def observe(lab: Lab, model: Model, engine: Engine | None, log: Path, say: Say) -> Observed:
    """Send REQUESTS at once to a server, first without strace, then under it; raises UsageError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    keep_older(log)
    serve = server.in_docker(lab, model, engine, say) if engine else server.here(model)
    say(f"{REQUESTS} requests at once to {model.name}, without strace")
    with serve(None) as running:
        load(running.address, REQUESTS)  # the first requests include imports and the start of threads
        before = switches(running.statuses())
        seconds = load(running.address, REQUESTS)
        switched = between(before, switches(running.statuses()))
    say(f"{REQUESTS} requests at once to {model.name}, under strace")
    with serve(log) as running:
        time.sleep(SETTLE_S)
        start_s = time.time()
        load(running.address, REQUESTS)
        end_s = time.time()
        time.sleep(SETTLE_S)
    return Observed(log, start_s, end_s, switched, seconds)


def keep_older(log: Path) -> None:
    """Rename an earlier log by the time of its last line: nothing measured is overwritten."""
    if log.exists() and log.stat().st_size:
        when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(log.stat().st_mtime))
        target, number = log.with_name(f"{log.stem}-{when}Z{log.suffix}"), 1
        while target.exists():
            number += 1
            target = log.with_name(f"{log.stem}-{when}Z-{number}{log.suffix}")
        log.rename(target)


def load(address: tuple[str, int], count: int) -> float:
    """Send `count` requests at once, each on a connection of its own; return the seconds until the last answer."""
    began = time.perf_counter()
    wrong = [answer for answer in asking.at_once(address, count, LOAD_LIMIT_S) if answer != "200"]
    if wrong:
        raise UsageError(f"{len(wrong)} of {count} requests at once were not answered with 200: {wrong[0]}")
    return time.perf_counter() - began


def switches(statuses: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return the voluntary and involuntary context switches of each thread, by its id."""
    return {proc.fields(status).get("Pid", ""): proc.switches(status) for status in statuses}


def between(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> Switches | None:
    """Return all context switches between two readings; None if threads started or ended meanwhile."""
    if before.keys() != after.keys():
        return None
    free, forced = (sum(after[each][kind] - before[each][kind] for each in after) for kind in (0, 1))
    return Switches(free, forced)
