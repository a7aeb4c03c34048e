"""One process that sends planned arrivals, or a closed loop, for the process at the other end of its pipes.

    python3 arrivals_client.py [CORE]

With CORE it runs on that core alone. JSON lines. In: a job, and when this process has said {"ready": true}, {"begin":
1234.5}, a time of this machine's monotonic clock. A job is {"url": "http://127.0.0.1:8080", "arrivals": {...} (the
fields of `arrivals_plan.Plan`), "answer_limit_s": 60, "timeout_s": 90}; it may have "stream" and "streams" (a stream of
the plan, with a seed of its own), "part" and "parts" (each `parts`-th arrival of that stream), "connections" (how many
are open at most). A closed loop has "users" and "requests" instead of "arrivals".
Out: {"rows": "..."} (`arrivals_rows.py`) any number of times, and at the end {"cpu_s": 0.1, "span_s": 2.1, ...}.
{"error": "..."} instead of {"ready": true} says that the job is not possible. It ends when its input ends, also in
the middle of a plan.
"""

import contextlib
import gc
import itertools
import json
import os
import resource
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import open_files
from arrivals_loop import Loop
from arrivals_plan import Plan
from arrivals_pool import Counts, Limits
from arrivals_rows import packed
from arrivals_sockets import Target

INPUT, OUTPUT = 0, 1
SPARE_FILES: Final = 64
MOST_CONNECTIONS: Final = 10_000  # of a source address: beyond that, the kernel searches long for a free port


class Output:
    """Lines to the other process. A line that the pipe does not take now is written later: the loop must not wait."""

    def __init__(self) -> None:
        self._unwritten = b""

    def say(self, message: dict[str, Any]) -> None:
        """Write a line, and wait until it is written."""
        os.set_blocking(OUTPUT, True)
        self._unwritten += json.dumps(message).encode() + b"\n"
        while self._unwritten:
            self._write()

    def rows(self, rows: "array[float]") -> None:
        """Write rows, as far as that is possible now."""
        os.set_blocking(OUTPUT, False)
        self._unwritten += b'{"rows": "' + packed(rows).encode() + b'"}\n'
        with contextlib.suppress(BlockingIOError):
            self._write()

    def _write(self) -> None:
        self._unwritten = self._unwritten[os.write(OUTPUT, self._unwritten) :]


def connections(wanted: int | None) -> int:
    """Return how many connections may be open at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(wanted or MOST_CONNECTIONS, MOST_CONNECTIONS, files - SPARE_FILES))


def moments(job: dict[str, Any]) -> Iterator[float]:
    """Return when to send, in seconds from the start; a plan that ends is worked out before it begins."""
    if "users" in job:
        return iter([0.0] * min(job["users"], job["requests"]))
    plan = Plan(**job["arrivals"])
    stream = plan.stream(job.get("stream", 0), job.get("streams", 1))
    part = itertools.islice(stream, job.get("part", 0), None, job.get("parts", 1))
    endless = plan.moments is None and plan.duration_s is None
    return part if endless else iter(array("d", part))


def play(loop: Loop, planned: Iterator[float], begin: float, timeout_s: float) -> dict[str, Any]:
    """Play a job; no garbage is collected meanwhile: a collection would make requests late."""
    gc.collect()
    gc.freeze()
    gc.disable()
    cpu_s = time.process_time()
    try:
        counts: Counts = loop.play(planned, begin, begin + timeout_s)
    finally:
        gc.enable()
        gc.unfreeze()
    facts = asdict(counts)
    return {**facts, "cpu_s": time.process_time() - cpu_s, "span_s": max(0.0, time.monotonic() - begin)}


def serve(job: dict[str, Any], output: Output) -> bool:
    """Serve a job; return False if the other process has gone."""
    try:
        limits = Limits(job["answer_limit_s"], connections=connections(job.get("connections")))
        loop = Loop(Target.of(job["url"]), limits, output.rows, leave=INPUT)
        planned = moments(job)
        loop.turns = max(0, job["requests"] - job["users"]) if "users" in job else 0
    except (ValueError, TypeError, KeyError) as error:
        output.say({"error": f"the job has no {error}" if isinstance(error, KeyError) else f"{error}"})
        return True
    output.say({"ready": True})
    line = sys.stdin.buffer.readline()
    if not line:
        return False
    facts = play(loop, planned, json.loads(line)["begin"], job["timeout_s"])
    if facts.pop("left"):
        return False
    output.say(facts)
    return True


def main() -> None:
    open_files.raise_limit()
    if len(sys.argv) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[1])})
    output = Output()
    with contextlib.suppress(BrokenPipeError):  # the other process has gone
        while (line := sys.stdin.buffer.readline()) and serve(json.loads(line), output):
            pass


if __name__ == "__main__":
    main()
