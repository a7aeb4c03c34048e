"""Runs closed loops with Locust, one at a time, for the process at the other end of the pipes.

    python3 locust_driver.py [HOST PORT]

With HOST and PORT it sends no load itself, but is the master of the Locust workers that join there (`crew.py`); with
PORT 0 it takes any free port. Workers play the jobs of `arrivals_client.py`.

A line in, lines out, all JSON. The first line out says that it is ready, and the port. In, a closed loop:
{"job": 1, "url": "http://127.0.0.1:8080", "users": 16, "requests": 208, "answer_limit_s": 20, "timeout_s": 60}; or, for
workers, planned arrivals (`arrivals_client.py`), or {"job": 1, "gather": 3, "timeout_s": 60}, which waits for workers.
Out, any number of times {"job": 1, "rows": [...], "more": true}, and at the end {"job": 1, "cpu_s": 0.1,
"timed_out": false, "syn_retransmits": 0, "timeouts": 0}. `loads.py` says what a row is; those of workers are those of
`arrivals_rows.py`, and "worker" is the number of the worker that sent them.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 (gevent must patch before other imports)
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import gevent.queue  # noqa: E402
import loads  # noqa: E402
import open_files  # noqa: E402
from crew import Crew  # noqa: E402
from gevent.fileobject import FileObjectThread  # noqa: E402


class Alone:
    """Generates the loads in this process."""

    def play(self, number: int, job: dict[str, Any]) -> dict[str, Any]:
        return loads.play(**job, tell=lambda rows: say({"job": number, "rows": rows, "more": True}))

    def quit(self) -> None:
        pass


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def serve(player: Alone | Crew, job: dict[str, Any]) -> dict[str, Any]:
    number = job.pop("job")
    if isinstance(player, Crew) and "gather" in job:
        return {"job": number, **player.gather(job["gather"], job["timeout_s"])}
    return {"job": number, **player.play(number, job)}


def read(jobs: "gevent.queue.Queue[str | None]") -> None:
    """Read in a thread, so that workers' heartbeats are processed meanwhile."""
    for line in FileObjectThread(sys.stdin.fileno(), closefd=False):
        jobs.put(line)
    jobs.put(None)


def work(player: Alone | Crew, jobs: "gevent.queue.Queue[str | None]") -> None:
    while line := jobs.get():
        say(serve(player, json.loads(line)))


def main() -> None:
    open_files.raise_limit()
    player = Crew(sys.argv[1], int(sys.argv[2]), say) if len(sys.argv) == 3 else Alone()
    say({"ready": True, "port": player.port} if isinstance(player, Crew) else {"ready": True})
    jobs: gevent.queue.Queue[str | None] = gevent.queue.Queue()
    both: list[gevent.Greenlet[..., None]] = [gevent.spawn(read, jobs), gevent.spawn(work, player, jobs)]
    gevent.wait(both, count=1)  # the end of the input also ends the load in progress
    player.quit()
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait for input


if __name__ == "__main__":
    main()
