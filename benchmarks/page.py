"""What the lab's page costs: its memory and CPU time while idle, and what it does to a benchmark that it follows.

    make pagecost [ROUNDS=4] [IDLE=60s]

The page runs all the time. Benchmarks of server C with 4 and 16 users are run in pairs, in the order A-B-B-A: one with
a client that follows the run as a browser does, which makes the measuring process draw between trials, and one without.
The ratio of each pair's medians is one value; the interval of their mean is Student's, over the pairs.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psutil
from scipy import stats

from iolab.options import span

ROUNDS = int(os.environ.get("ROUNDS") or 4)
IDLE_S = span(os.environ.get("IDLE") or "60s")
BENCH = ("bench", "--models", "C", "--repeats", "3", "--runtime", "local")
PAUSE_S = 0.2


def follow(place: str, results: Path, end: threading.Event) -> None:
    """Follow every run of a folder, as a page does, until the end."""
    seen: set[str] = set()
    while not end.is_set():
        new = {path.parent.name for path in results.glob("*/run.json") if not path.parent.is_symlink()} - seen
        for name in new:
            seen.add(name)
            with suppress(OSError), closing(HTTPConnection(place, timeout=120)) as connection:
                connection.request("GET", f"/api/runs/{name}/events")
                events = connection.getresponse()
                while not end.is_set() and events.readline():
                    pass
        time.sleep(PAUSE_S)


def medians(results: Path, watch_at: str) -> dict[str, float]:
    """Run the benchmark, followed if `watch_at` is the page's address, and return the median of each cell in ms."""
    before = {path.name for path in results.iterdir()}
    end = threading.Event()
    follower = threading.Thread(target=follow, args=(watch_at, results, end))
    if watch_at:
        follower.start()
    try:
        subprocess.run(
            [sys.executable, "-m", "iolab", *BENCH, "--results", str(results)], check=True, capture_output=True
        )
    finally:
        end.set()
        if watch_at:
            follower.join()
    (new,) = {path.name for path in results.iterdir() if path.name.endswith("-bench")} - before
    cells = json.loads((results / new / "summary.json").read_text())["cells"]
    return {f"{cell['model']}{cell['concurrency']}": cell["median_ms"] for cell in cells}


def idle(process: psutil.Process) -> None:
    """Print the memory of the page's process, and the CPU time that it uses while nothing is asked of it."""
    before = process.cpu_times()
    time.sleep(IDLE_S)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    size = process.memory_info().rss / 2**20
    print(f"Idle for {IDLE_S:g} s: {size:.0f} MiB, {used / IDLE_S:.2%} of a core.", flush=True)


def compared(results: Path, place: str) -> None:
    """Print, for each cell, the ratio of its medians with a page that follows the run and without."""
    ratios: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        order = (True, False) if number % 2 else (False, True)
        pair = {watched: medians(results, place if watched else "") for watched in order}
        for cell, value in pair[True].items():
            ratios.setdefault(cell, []).append(value / pair[False][cell])
    for cell, values in ratios.items():
        mean = float(np.mean(values))
        half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
        print(f"{cell}: median with a page that follows / without, {ROUNDS} pairs: {mean:.3f}", end=" ")
        print(f"(95% interval {mean - half:.3f} to {mean + half:.3f})")


def main() -> int:
    """Measure and print."""
    os.environ.pop("MAKEFLAGS", None)  # its variables are ours, not those of the commands
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = [sys.executable, "-m", "iolab", "lab", "--results", folder, "--port", port]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
            try:
                assert page.stdout  # noqa: S101 (a pipe)
                said = page.stdout.readline().split()
                if len(said) < 3:
                    return 1  # the page has said why
                place = said[2].removeprefix("http://")
                with closing(HTTPConnection(place, timeout=10)) as connection:
                    connection.request("GET", "/")
                    connection.getresponse().read()
                idle(psutil.Process(page.pid))
                compared(Path(folder), place)
            finally:
                page.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
