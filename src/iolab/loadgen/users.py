"""Thousands of users in several processes, each of which is a loadtest/crowd_driver.py."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from iolab.host.capacity import SPARE_FILES
from iolab.host.cores import CpuPlan
from iolab.host.limits import Facts
from iolab.loadgen import driver
from iolab.loadgen.driver import Driver
from iolab.runtime import Runtime

SCRIPT = "crowd_driver.py"
START_LIMIT_S = 30.0
MOST_OF_A_PROCESS = 5_000  # users: each process has a loopback address of its own, see limits.SOURCE_USERS
MOST_OF_A_CONTAINER = 10_000  # users of one address: near 17,000 the kernel takes long to find a free port


class UserProcesses:
    """The processes that hold users, used as one; `shares` is how many users each has."""

    def __init__(self, drivers: Sequence[Driver], shares: Sequence[int], sources: Sequence[str]) -> None:
        self._drivers, self.shares, self._sources = drivers, shares, sources
        self._cpu_s = [0.0 for _ in drivers]

    @property
    def cpu_s(self) -> float:
        """The CPU time of all processes since their start, as of the last answer of each."""
        return sum(self._cpu_s)

    @property
    def cpu_of_each_s(self) -> Sequence[float]:
        """The same of each process."""
        return self._cpu_s

    def ask(self, what: str, jobs: Sequence[Mapping[str, Any]], timeout_s: float) -> list[dict[str, Any]]:
        """Give each process its job at the same time, and return the answers, with all rows; raises LoadFailed."""
        pool = ThreadPoolExecutor(len(self._drivers))
        try:
            waiting = [
                pool.submit(_ask, one, {what: dict(job)}, timeout_s)
                for one, job in zip(self._drivers, jobs, strict=True)
            ]
            answers = [each.result() for each in waiting]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an interruption does not wait for answers
        self._cpu_s = [answer["cpu_s"] for answer in answers]
        return answers

    def all(self, what: str, timeout_s: float, **job: Any) -> list[dict[str, Any]]:
        """Give all processes the same job."""
        return self.ask(what, [job] * len(self._drivers), timeout_s)

    def connect(
        self, place: tuple[str, int], transport: str, rate: float, patience_s: float, more: int = 0
    ) -> list[list[Any]]:
        """Connect all users at `rate` a second in all; or only `more` further users, whose numbers follow theirs.

        Return rows of user, three times, and the outcome.
        """
        host, port = place
        counts, first = (self.split(more), sum(self.shares)) if more else (self.shares, 0)
        jobs = []
        for users, source in zip(counts, self._sources, strict=True):
            share = {"users": users, "first": first, "rate": rate * users / sum(counts), "source": source}
            jobs.append({"host": host, "port": port, "transport": transport, "patience_s": patience_s, **share})
            first += users
        answers = self.ask("connect", jobs, sum(counts) / rate + patience_s + START_LIMIT_S)
        return [row for answer in answers for row in answer["rows"]]

    def split(self, count: int) -> list[int]:
        """Return `count`, shared out among the processes."""
        number = len(self._drivers)
        return [count // number + (place < count % number) for place in range(number)]

    def first(self, what: str, timeout_s: float, **job: Any) -> dict[str, Any]:
        """Give the first process a job."""
        return _ask(self._drivers[0], {what: job}, timeout_s)

    def click(self, rate: float, for_s: float, wait_s: float, seed: int) -> list[dict[str, Any]]:
        """Make users click, `rate` times a second in all; Poisson streams together are a Poisson stream."""
        jobs = [
            {"for_s": for_s, "rate": rate * users / sum(self.shares), "seed": seed * 1000 + number, "wait_s": wait_s}
            for number, users in enumerate(self.shares)
        ]
        return self.ask("click", jobs, for_s + wait_s + START_LIMIT_S)


def _ask(one: Driver, job: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    answer = one.ask(job, timeout_s, told)
    return {**answer, "rows": driver.rows(told) + answer.get("rows", [])}


def room(files: int | None) -> int:
    """Return how many users a process can hold with a limit of `files` open files (None: no limit)."""
    return MOST_OF_A_PROCESS if files is None else max(1, min(MOST_OF_A_PROCESS, files - SPARE_FILES))


def shares(users: int, most: int) -> list[int]:
    """Return how many users each process holds, at most `most`; the numbers differ by at most one."""
    count = math.ceil(users / most)
    return [users // count + (number < users % count) for number in range(count)]


def clients(users: int, facts: Facts, *, docker: bool) -> list[int]:
    """Return how many users each of the client's processes holds on this machine."""
    return shares(users, room(facts.engine_files if docker else facts.files))


def containers(users: int) -> int:
    """Return how many client containers `users` users need, each with an address of its own."""
    return math.ceil(users / MOST_OF_A_CONTAINER)


@contextmanager
def holding(runtime: Runtime, plan: CpuPlan, wanted: Sequence[int]) -> Iterator[UserProcesses]:
    """Start a process for each number of users in `wanted`, on the load generator's cores; stop them at the end."""
    with ExitStack() as stack:
        commands = [
            stack.enter_context(runtime.driver(SCRIPT, plan, number=number))
            for number in range(containers(sum(wanted)))
        ]
        drivers = [stack.enter_context(driver.start(commands[number % len(commands)])) for number in range(len(wanted))]
        for one in drivers:
            one.answer(START_LIMIT_S)
        local = runtime.name == "local"
        sources = [f"127.0.0.{number + 2}" if local else "" for number in range(len(wanted))]
        yield UserProcesses(drivers, wanted, sources)
