"""Plays chess exhibitions, one at a time, for the process at the other end of the pipes: one thread for each board.

A line in, lines out, all JSON. In: {"job": 1, "url": "http://127.0.0.1:8080", "boards": 24, "moves": 30,
"answer_limit_s": 20, "timeout_s": 60}. Out, any number of times {"job": 1, "rows": [...], "more": true}, and at the end
{"job": 1, "cpu_s": 0.1, "timed_out": false}. A row is [board, move, start_s, end_s, service_s, status]: a request, with
times from the common start; service_s is the value of the server's Server-Timing header, -1 without one; status 0 is a
request without an answer. A board sends a request as soon as the last one was answered, on the same connection if the
server keeps it open.
"""

import http.client
import json
import queue
import re
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

TELL_EVERY_S = 0.1

Row = tuple[int, int, float, float, float, int]


class Exhibition:
    """Boards that are played at the same time; `rows` has each pair of moves that is finished."""

    def __init__(self, url: str, boards: int, moves: int, answer_limit_s: float) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname or "127.0.0.1", where.port
        self._moves, self._limit_s = moves, answer_limit_s
        self.rows = queue.SimpleQueue[Row]()
        self._all_sit = threading.Barrier(boards + 1)
        self._threads = [threading.Thread(target=self._play, args=(board,), daemon=True) for board in range(boards)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()
        self._begin = time.perf_counter()
        self._all_sit.wait()

    def wait(self, until: float) -> bool:
        """Return whether every board was finished by that time of the monotonic clock."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _play(self, board: int) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._limit_s)
        self._all_sit.wait()
        for move in range(self._moves):
            start = time.perf_counter()
            status, service_s = ask(connection)
            end = time.perf_counter()
            self.rows.put((board, move, start - self._begin, end - self._begin, service_s, status))
        connection.close()


def ask(connection: http.client.HTTPConnection) -> tuple[int, float]:
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request opens it again
        return 0, -1.0
    told = re.search(r"service;dur=([\d.]+)", response.headers.get("Server-Timing", ""))
    return response.status, float(told[1]) / 1000 if told else -1.0


def tell(number: int, exhibition: Exhibition) -> None:
    rows = [exhibition.rows.get() for _ in range(exhibition.rows.qsize())]
    if rows:
        print(json.dumps({"job": number, "rows": rows, "more": True}), flush=True)


def serve(job: dict[str, Any]) -> dict[str, Any]:
    number, cpu = job["job"], time.process_time()
    deadline = time.monotonic() + job["timeout_s"]
    exhibition = Exhibition(job["url"], job["boards"], job["moves"], job["answer_limit_s"])
    exhibition.begin()
    done = False
    while not done and time.monotonic() < deadline:
        done = exhibition.wait(time.monotonic() + TELL_EVERY_S)
        tell(number, exhibition)
    return {"job": number, "cpu_s": time.process_time() - cpu, "timed_out": not done}


def work(jobs: "queue.Queue[str]") -> None:
    while True:
        print(json.dumps(serve(json.loads(jobs.get()))), flush=True)


def main() -> None:
    jobs = queue.Queue[str]()
    threading.Thread(target=work, args=(jobs,), daemon=True).start()
    for line in sys.stdin:  # it ends when the parent process ends
        jobs.put(line)


if __name__ == "__main__":
    main()
