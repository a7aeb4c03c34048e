"""Why users were not held, according to the server's output and the kernel's counters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import ServerFailed
from iolab.host import proc as kernel
from iolab.host.proc import PROC
from iolab.kinds.crowd.records import Obstacle
from iolab.report.numbers import counted, users
from iolab.runtime import Server

Verdict = tuple[Obstacle, str]
FULL = 0.98  # of a limit: a server at its limit closes a few now and then
OVERLAP = 1000  # characters at the end of the first output, by which it is found in the later one
OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "out of memory")
NO_THREAD, NO_FILE = "can't start new thread", "Too many open files"  # messages of Python and of the C library


@dataclass(frozen=True)
class Room:
    """One limit of the server's process that is nearest to it: `what` it limits, how much is used, and the limit."""

    what: str
    used: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether it is used up."""
        return self.used >= FULL * self.limit


@dataclass(frozen=True)
class Signs:
    """The state of the server after users connected.

    `ended` says how it ended, if it has. Counts are since `begin`; `output` is what it printed since then; `rooms` are
    its limits.
    """

    ended: str = ""
    output: str = ""
    tasks_refused: int = 0
    kills: int = 0
    overflows: int = 0
    threads: int | None = None
    files: Room | None = None
    rooms: Sequence[Room] = ()
    backlog: int | None = None


class LossDiagnosis:
    """Watches one server from `begin`, before any user connects, to `why`, while the users are still connected."""

    def __init__(self, server: Server, proc: Path = PROC) -> None:
        self._server, self._proc = server, proc
        self.begin()

    def begin(self) -> None:
        """Read all counters and the output so far."""
        self._output = self._server.last_output()
        self._denials = self._server.denials()
        self._counters = self._server.listen_counters()

    def why(self, waiting: int, refused: int, pool: int | None) -> tuple[Obstacle | None, str]:
        """Return why `refused` users have no connection or `waiting` users no answer, and a sentence of evidence.

        `pool` is the number of the server's threads; None: not limited. Without such users, users that were held may
        still have been lost, so the same reasons are checked; the result is (None, "") if there is no reason.
        """
        return judge(self._signs(), waiting, refused, pool)

    def _signs(self) -> Signs:
        pids = self._server.pids()
        denials, counters = self._server.denials(), self._server.listen_counters()
        try:
            self._server.check_alive()
            ended = ""
        except ServerFailed as failed:
            ended = str(failed)
        output = _new_output(self._output, self._server.last_output())
        return Signs(
            ended=ended,
            output=output,
            tasks_refused=_grown(self._denials.tasks, denials.tasks),
            kills=_grown(self._denials.kills, denials.kills),
            overflows=_grown(self._counters.overflows, counters.overflows),
            threads=kernel.total(pids, "Threads", self._proc),
            files=_fullest([_files(pid, self._proc) for pid in pids]),
            rooms=_thread_rooms(pids, self._proc) if NO_THREAD in output else (),
            backlog=kernel.number(self._proc / "sys/net/core/somaxconn"),
        )


def judge(signs: Signs, waiting: int, refused: int, pool: int | None) -> tuple[Obstacle | None, str]:
    """Return the first obstacle that the signs show, in this order, and its evidence."""
    judges: tuple[Callable[[Signs], Verdict | None], ...] = (_memory, _died, _pids, _threads)
    found = next((verdict for verdict in (one(signs) for one in judges) if verdict), None)
    found = found or _pool(signs, waiting, pool) or _files_gone(signs) or _listen_queue(signs)
    return found or (_unexplained(signs, waiting, refused) if waiting or refused else (None, ""))


def _memory(signs: Signs) -> Verdict | None:
    if _line_with(signs.ended, OUT_OF_MEMORY):  # it has ended, too, for this reason
        return "memory", signs.ended
    if signs.kills:
        return (
            "memory",
            f"the kernel killed {counted(signs.kills, 'process')} of the server: its memory limit was reached",
        )
    line = _line_with(signs.output, OUT_OF_MEMORY)
    return ("memory", f'the server printed "{line}"') if line and not signs.ended else None


def _died(signs: Signs) -> Verdict | None:
    return ("died", signs.ended) if signs.ended else None


def _pids(signs: Signs) -> Verdict | None:
    if not signs.tasks_refused:
        return None
    has = f"with {counted(signs.threads, 'thread')} " if signs.threads else ""
    times = counted(signs.tasks_refused, "time")
    return "pids", f"the server's container {has}was denied another task {times} (pids_limit; counted in pids.events)"


def _threads(signs: Signs) -> Verdict | None:
    line = _line_with(signs.output, (NO_THREAD,))
    if not line:
        return None
    has = f" with {counted(signs.threads, 'thread')}" if signs.threads else ""
    full = [room for room in signs.rooms if room.full]
    why = "; ".join(f"{room.used:,} of {room.limit:,} {room.what}" for room in full)
    why = why or "the kernel could not start another thread"
    return "threads", f'the server printed "{line}"{has}: {why}'


def _files_gone(signs: Signs) -> Verdict | None:
    line = _line_with(signs.output, (NO_FILE,))
    if signs.files and signs.files.full:
        return "files", f"a process of the server has {signs.files.used:,} of {signs.files.limit:,} open files"
    return ("files", f'the server printed "{line}"') if line else None


def _pool(signs: Signs, waiting: int, pool: int | None) -> Verdict | None:
    """Return that the pool is in use; waiting users may then fill up files and accept queue, which is added."""
    if pool is None or not waiting:
        return None
    used = "its only thread is" if pool == 1 else f"all its {pool:,} threads are"
    others = [verdict[1] for verdict in (_files_gone(signs), _listen_queue(signs)) if verdict]
    return "queue", "; ".join((f"{used} in use, and {users(waiting)} wait", *others))


def _listen_queue(signs: Signs) -> Verdict | None:
    if not signs.overflows:
        return None
    at_most = f" (net.core.somaxconn is {signs.backlog:,})" if signs.backlog else ""
    return "queue", f"the accept queue was full {counted(signs.overflows, 'time')}{at_most}"


def _unexplained(signs: Signs, waiting: int, refused: int) -> Verdict:
    last = signs.output.strip().splitlines()[-1:]
    printed = f', and the last line of the server is "{last[0].strip()}"' if last else ""
    if refused:
        return "refused", f"{users(refused)} got no connection{printed}"
    return "slow", f"the server had not answered {users(waiting)} yet{printed}"


def _files(pid: int, proc: Path) -> Room | None:
    return _room("open files", kernel.open_files(pid, proc), kernel.limit(pid, "Max open files", proc))


def _thread_rooms(pids: Sequence[int], proc: Path) -> list[Room]:
    """Return the limits that threads can reach: memory maps (three each), tasks of the user, tasks of the machine."""
    most_maps = kernel.number(proc / "sys/vm/max_map_count")
    tasks = kernel.tasks(proc)
    found: list[Room | None] = []
    for pid in pids:
        maps = kernel.text(proc / str(pid) / "maps").count("\n")
        threads = kernel.total([pid], "Threads", proc)
        found.append(_room("memory maps (vm.max_map_count)", maps, most_maps))
        found.append(_room("tasks of this user (ulimit -u)", threads, kernel.limit(pid, "Max processes", proc)))
    for name in ("pid_max", "threads-max"):
        limit = kernel.number(proc / "sys/kernel" / name)
        found.append(_room(f"tasks of this machine (kernel.{name})", tasks, limit))
    return [room for room in found if room]


def _room(what: str, used: int | None, limit: int | None) -> Room | None:
    return None if used is None or limit is None else Room(what, used, limit)


def _fullest(rooms: Sequence[Room | None]) -> Room | None:
    return max((room for room in rooms if room), key=lambda room: room.used / room.limit, default=None)


def _new_output(before: str, now: str) -> str:
    """Return the output since `before`; both are only the last lines of a log."""
    tail = before[-OVERLAP:]
    _, found, new = now.partition(tail) if tail else ("", "", now)
    return new if found else now


def _line_with(output: str, signs: Sequence[str]) -> str:
    return next((line.strip() for line in output.splitlines() if any(sign in line for sign in signs)), "")


def _grown(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else max(0, after - before)
