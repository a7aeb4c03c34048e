import os
import time
from pathlib import Path

import psutil
import pytest

from iolab.results.records import Holding
from iolab.runtime import Denials, ListenCounters, Snapshot, footprint, probe
from iolab.runtime.footprint import context_switches
from iolab.runtime.usage import Meter
from tests.fakes import FakeServer
from tests.runtime.scripts import serving
from tests.waiting import wait_until

PAGE = os.sysconf("SC_PAGE_SIZE")
linux = pytest.mark.needs("linux")
STATUS = "Name:\tpython3\nVmSize:\t    8192 kB\nVmRSS:\t  100 kB\nThreads:\t{threads}\nvoluntary_ctxt_switches:\t{own}\nnonvoluntary_ctxt_switches:\t2\n"
SOCKSTAT = "sockets: used 44\nTCP: inuse 1 orphan 0 tw 44 alloc 1 mem 188\nUDP: inuse 3 mem 7\n"


class WithProcesses(FakeServer):
    """Has these processes."""

    def __init__(self, *pids: int) -> None:
        super().__init__(("127.0.0.1", 1), [], "Z")
        self._pids = pids

    def pids(self) -> tuple[int, ...]:
        return self._pids


def proc(folder: Path) -> Path:
    texts = {
        "7/status": STATUS.format(threads=2, own=10),
        "7/task/7/status": STATUS.format(threads=2, own=10),
        "7/task/9/status": STATUS.format(threads=2, own=100),
        "8/status": STATUS.format(threads=1, own=1000),
        "8/task/8/status": STATUS.format(threads=1, own=1000),
        "meminfo": "MemTotal:  24000000 kB\nSlab:  200 kB\nKernelStack:  16 kB\nPageTables:  30 kB\nHugePages_Total:  0\n",
        "net/sockstat": SOCKSTAT,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_all_processes_and_all_their_threads_are_summed_up(tmp_path: Path) -> None:
    assert footprint.read(WithProcesses(7, 8), proc(tmp_path)) == Holding(
        cpu_s=1.0,
        rss_bytes=99,
        virtual_bytes=2 * 8192 * 1024,
        threads=3,
        context_switches=10 + 100 + 1000 + 3 * 2,
        sockets_bytes=188 * PAGE,
        slab_bytes=200 * 1024,
        stacks_bytes=16 * 1024,
        tables_bytes=30 * 1024,
    )


def test_a_process_that_has_ended_counts_nothing(tmp_path: Path) -> None:
    folder = proc(tmp_path)
    assert footprint.read(WithProcesses(7, 123456), folder) == footprint.read(WithProcesses(7), folder)
    gone = footprint.read(WithProcesses(123456), folder)
    assert (gone.virtual_bytes, gone.context_switches) == (None, None)


def test_where_there_is_no_proc_the_server_alone_is_known(tmp_path: Path) -> None:
    """As on macOS: not known is None, never 0."""
    assert footprint.read(WithProcesses(7), tmp_path) == Holding(cpu_s=1.0, rss_bytes=99, threads=1)


def test_where_the_engine_is_elsewhere_threads_are_those_of_the_group(tmp_path: Path) -> None:
    seen = footprint.read(WithProcesses(), proc(tmp_path))
    assert (seen.threads, seen.virtual_bytes, seen.context_switches) == (1, None, None)
    assert seen.slab_bytes == 200 * 1024


FORKS = "for _ in range(2):\n    if os.fork() == 0:\n        break"
THREADS = "for _ in range(5):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"


@linux
def test_a_server_that_forks_is_counted_whole(tmp_path: Path) -> None:
    with serving(tmp_path, then=f"{FORKS}\n{THREADS}") as server:
        wait_until(lambda: footprint.read(server).threads == 18)
        seen = footprint.read(server)
        first, *others = server.pids()
        assert [psutil.Process(pid).ppid() for pid in others] == [first, first]
        alone = psutil.Process(first).memory_info()
        assert seen.rss_bytes is not None
        assert seen.rss_bytes > 1.5 * alone.rss
        assert seen.virtual_bytes is not None
        assert seen.virtual_bytes > 2 * alone.vms
        assert server.snapshot().threads == 18
        assert None not in (seen.slab_bytes, seen.stacks_bytes, seen.tables_bytes, seen.sockets_bytes)


@linux
def test_the_cpu_time_of_children_counts_also_when_they_have_ended(tmp_path: Path) -> None:
    burns = "if os.fork() == 0:\n    while time.process_time() < 0.3: pass\n    os._exit(0)\nos.wait()"
    with serving(tmp_path, first=burns) as server:
        assert len(server.pids()) == 1
        used = server.snapshot()
        assert used.cpu_s is not None
        assert used.cpu_s >= 0.3 - 2 / os.sysconf("SC_CLK_TCK")  # of user and of system: each is counted in ticks


@linux
def test_processes_that_a_server_starts_late_are_metered_from_their_start(tmp_path: Path) -> None:
    """As a pool of processes that a server starts at its first requests."""
    burns = "def burn():\n    while time.process_time() < 0.5: pass\n    time.sleep(60)"
    with serving(tmp_path, first=burns, each="if b'/work' in asked and os.fork() == 0: burn()") as server:

        def work() -> None:
            known = {one.pid for one in psutil.Process(first).children()}
            probe.get(server.address, "/work", timeout_s=5)
            (new,) = wait_until(lambda: [one for one in psutil.Process(first).children() if one.pid not in known])
            wait_until(lambda: sum(new.cpu_times()[:2]) >= 0.45)

        (first,) = server.pids()
        work()  # by a process that no snapshot has seen
        meter = Meter(server)
        meter.begin()
        meter.end()
        assert (meter.usage().cpu_s or 0) < 0.3
        meter = Meter(server)
        meter.begin()
        work()
        meter.end()
    assert 0.4 < (meter.usage().cpu_s or 0) < 0.8
    assert (meter.usage().threads_peak or 0) >= 3  # one of each process


@linux
def test_switches_grow_with_each_wait_of_any_thread(tmp_path: Path) -> None:
    naps = "def nap():\n    while True:\n        time.sleep(0.01)\nthreading.Thread(target=nap, daemon=True).start()"
    with serving(tmp_path, then=naps) as server:
        before, begin = context_switches(server.pids()), time.monotonic()
        more = wait_until(lambda: (context_switches(server.pids()) - before) // 11)
        assert 11 * more < 200 + 1000 * (time.monotonic() - begin)  # some hundred a second, not thousands


def test_a_server_that_is_frozen_stands_still_with_its_children(tmp_path: Path) -> None:
    with serving(tmp_path, then=FORKS) as server:

        def stopped() -> list[bool]:
            return [psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in server.pids()]

        wait_until(lambda: stopped() == [False] * 3)
        server.freeze()
        wait_until(lambda: stopped() == [True] * 3)
        server.thaw()
        wait_until(lambda: stopped() == [False] * 3)


def test_last_words_are_the_servers_own_and_its_last(tmp_path: Path) -> None:
    with serving(tmp_path, first="for number in range(5000): print('said', number, flush=True)") as server:
        assert server.last_output().splitlines()[-1] == "said 4999"
        assert len(server.last_output()) <= 8192
        assert server.denials() == Denials(None, None)


def test_nothing_is_left_of_a_server_that_has_ended(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.snapshot().threads
        (pid,) = server.pids()
    assert server.snapshot() == Snapshot()
    assert server.pids() == []
    assert not psutil.pid_exists(pid)
    assert isinstance(server.listen_counters(), ListenCounters)
