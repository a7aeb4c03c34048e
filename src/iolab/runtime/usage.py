"""Meters a server while it is under load."""

from collections.abc import Iterator
from contextlib import contextmanager

from iolab.host.activity import difference
from iolab.host.processes import Background
from iolab.results.records import ServerUsage
from iolab.runtime import ListenCounters, Server, Snapshot


class Meter:
    """A server's use of resources between `begin` and `end`; peaks are of the samples in between."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._snapshots: list[Snapshot] = []
        self._counters: list[ListenCounters] = []

    def begin(self) -> None:
        """Read all counters; the snapshot comes last, so that reading the others does not count."""
        self._counters.append(self._server.listen_counters())
        self._server.pids()  # finds the processes that a snapshot counts: some may be younger than the first answer
        self.sample()

    def sample(self) -> None:
        """Read threads and memory, to find their peaks."""
        self._snapshots.append(self._server.snapshot())

    def end(self) -> None:
        """Read all counters again, the snapshot first; it counts the processes that were started meanwhile."""
        self._server.pids()
        self.sample()
        self._counters.append(self._server.listen_counters())

    def usage(self) -> ServerUsage:
        """Return the differences and the peaks."""
        first, last = self._snapshots[0], self._snapshots[-1]
        dropped = self._counters[-1].since(self._counters[0])
        return ServerUsage(
            cpu_s=difference(first.cpu_s, last.cpu_s),
            throttled_s=difference(first.throttled_s, last.throttled_s),
            threads_peak=max((one.threads for one in self._snapshots if one.threads is not None), default=None),
            rss_peak_bytes=max((one.rss_bytes for one in self._snapshots if one.rss_bytes is not None), default=None),
            listen_overflows=dropped.overflows,
            listen_drops=dropped.drops,
            syn_cookies=dropped.cookies,
            full_queue_cookies=dropped.full_queue_cookies,
        )


@contextmanager
def metering(server: Server) -> Iterator[Meter]:
    """Meter `server` during the block; call `Meter.usage` after it."""
    meter = Meter(server)
    meter.begin()
    with Background(meter.sample, server.sample_every_s):
        yield meter
    meter.end()
