"""Why users were not held: judged by what the server said and by what the kernel counted, not by guess."""

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
FULL = 0.98  # of a limit: what is at its limit lets a few go now and then
OVERLAP = 1000  # characters of the words at the begin, by which they are found again in later ones
OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "out of memory")
NO_THREAD, NO_FILE = "can't start new thread", "Too many open files"  # as Python and the C library say it


@dataclass(frozen=True)
class Room:
    """One limit of the server, of the process that is nearest to it: `what` in words, how much is used of how much."""

    what: str
    used: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether it is used up."""
        return self.used >= FULL * self.limit


@dataclass(frozen=True)
class Signs:
    """All that can be seen of the server after it was asked to hold users.

    `ended` are the words for its end, if it has ended. Counts are since the begin; `rooms` are its limits.
    """

    ended: str = ""
    words: str = ""
    tasks_refused: int = 0
    kills: int = 0
    overflows: int = 0
    threads: int | None = None
    files: Room | None = None
    rooms: Sequence[Room] = ()
    backlog: int | None = None


class LossDiagnosis:
    """Watches one server from `begin`, before any user has come, to `why`, while those that came are still there."""

    def __init__(self, server: Server, proc: Path = PROC) -> None:
        self._server, self._proc = server, proc
        self.begin()

    def begin(self) -> None:
        """Read all counters, and what was said before."""
        self._said = self._server.words()
        self._denials = self._server.denials()
        self._counters = self._server.listen_counters()

    def why(self, waiting: int, refused: int, pool: int | None) -> tuple[Obstacle | None, str]:
        """Return what kept out `refused` users or lets `waiting` ones wait, and a sentence of evidence.

        `pool` is how many threads the server has for all; None: as many as it wants. Where there are neither, users
        that were held may still have been lost, so the same is looked for; nothing where nothing is found.
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
        words = _fresh(self._said, self._server.words())
        return Signs(
            ended=ended,
            words=words,
            tasks_refused=_grown(self._denials.tasks, denials.tasks),
            kills=_grown(self._denials.kills, denials.kills),
            overflows=_grown(self._counters.overflows, counters.overflows),
            threads=kernel.total(pids, "Threads", self._proc),
            files=_fullest([_files(pid, self._proc) for pid in pids]),
            rooms=_thread_rooms(pids, self._proc) if NO_THREAD in words else (),
            backlog=kernel.number(self._proc / "sys/net/core/somaxconn"),
        )


def judge(signs: Signs, waiting: int, refused: int, pool: int | None) -> tuple[Obstacle | None, str]:
    """Return the first obstacle that the signs show, in this order, and the words for it."""
    judges: tuple[Callable[[Signs], Verdict | None], ...] = (_memory, _died, _pids, _threads)
    found = next((verdict for verdict in (one(signs) for one in judges) if verdict), None)
    found = found or _pool(signs, waiting, pool) or _files_gone(signs) or _listen_queue(signs)
    return found or (_unexplained(signs, waiting, refused) if waiting or refused else (None, ""))


def _memory(signs: Signs) -> Verdict | None:
    if _line_with(signs.ended, OUT_OF_MEMORY):  # it has ended, too, but for this
        return "memory", signs.ended
    if signs.kills:
        return (
            "memory",
            f"the kernel killed {counted(signs.kills, 'process')} of the server: its memory limit was reached",
        )
    line = _line_with(signs.words, OUT_OF_MEMORY)
    return ("memory", f'the server said "{line}"') if line and not signs.ended else None


def _died(signs: Signs) -> Verdict | None:
    return ("died", signs.ended) if signs.ended else None


def _pids(signs: Signs) -> Verdict | None:
    if not signs.tasks_refused:
        return None
    has = f"with {counted(signs.threads, 'thread')} " if signs.threads else ""
    times = counted(signs.tasks_refused, "time")
    return "pids", f"the server's container {has}was refused another task {times} (pids_limit; pids.events counts it)"


def _threads(signs: Signs) -> Verdict | None:
    line = _line_with(signs.words, (NO_THREAD,))
    if not line:
        return None
    has = f" with {counted(signs.threads, 'thread')}" if signs.threads else ""
    full = [room for room in signs.rooms if room.full]
    why = "; ".join(f"{room.used:,} of {room.limit:,} {room.what}" for room in full)
    why = why or "the kernel could not start another one"
    return "threads", f'the server said "{line}"{has}: {why}'


def _files_gone(signs: Signs) -> Verdict | None:
    line = _line_with(signs.words, (NO_FILE,))
    if signs.files and signs.files.full:
        return "files", f"a process of the server has {signs.files.used:,} of {signs.files.limit:,} open files"
    return ("files", f'the server said "{line}"') if line else None


def _pool(signs: Signs, waiting: int, pool: int | None) -> Verdict | None:
    """Return a pool that is taken; files and listen queue then fill up with the users that wait, which is told, too."""
    if pool is None or not waiting:
        return None
    used = "its only thread is" if pool == 1 else f"all its {pool:,} threads are"
    others = [verdict[1] for verdict in (_files_gone(signs), _listen_queue(signs)) if verdict]
    return "queue", "; ".join((f"{used} in use, and {users(waiting)} wait", *others))


def _listen_queue(signs: Signs) -> Verdict | None:
    if not signs.overflows:
        return None
    at_most = f" (net.core.somaxconn is {signs.backlog:,})" if signs.backlog else ""
    return "queue", f"the listen queue was full {counted(signs.overflows, 'time')}{at_most}"


def _unexplained(signs: Signs, waiting: int, refused: int) -> Verdict:
    last = signs.words.strip().splitlines()[-1:]
    said = f', and the last line of the server is "{last[0].strip()}"' if last else ""
    if refused:
        return "refused", f"{users(refused)} got no connection{said}"
    return "slow", f"the server had not answered {users(waiting)} yet{said}"


def _files(pid: int, proc: Path) -> Room | None:
    return _room("open files", kernel.open_files(pid, proc), kernel.limit(pid, "Max open files", proc))


def _thread_rooms(pids: Sequence[int], proc: Path) -> list[Room]:
    """Return what threads use up: memory maps, three each, the user's share of tasks, and the machine's numbers."""
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


def _fresh(before: str, now: str) -> str:
    """Return what was said since `before`; both are only the last lines of more."""
    tail = before[-OVERLAP:]
    _, found, fresh = now.partition(tail) if tail else ("", "", now)
    return fresh if found else now


def _line_with(words: str, signs: Sequence[str]) -> str:
    return next((line.strip() for line in words.splitlines() if any(sign in line for sign in signs)), "")


def _grown(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else max(0, after - before)
