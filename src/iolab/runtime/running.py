"""A server that already runs: nothing of it is started, stopped, changed or read; only its answers are known."""

import http.client
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from iolab import address
from iolab.errors import ServerFailed, UsageError
from iolab.experiment import Target
from iolab.host import cores, leftovers, limits
from iolab.host.cores import CpuPlan
from iolab.host.python import Python
from iolab.lab import Lab, Model
from iolab.results.run_info import RuntimeName
from iolab.runtime import Denials, ListenCounters, ServerCommand, Snapshot
from iolab.runtime.local import LocalRuntime

ANSWER_LIMIT_S = 20.0
MOST_BYTES = 2**26  # of an answer
LOOK_EVERY_S = 60.0  # there is nothing to see


class RunningServer:
    """A server from outside: its processes, its memory and its accept queue are not known, wherever it runs."""

    def __init__(self, url: str) -> None:
        place = address.parsed(url)
        self.url, self.address, self.sample_every_s = place.url, (place.host, place.port), LOOK_EVERY_S

    def check_alive(self) -> None:
        """Do nothing: whether it runs is what its answers show."""

    def snapshot(self) -> Snapshot:
        """Return nothing."""
        return Snapshot()

    def freeze(self) -> None:
        """Raise ServerFailed: it is not the lab's."""
        raise ServerFailed("a server that already runs is not stopped")

    def thaw(self) -> None:
        """Raise ServerFailed: it is not the lab's."""
        raise ServerFailed("a server that already runs is not stopped")

    def kill(self) -> None:
        """Raise ServerFailed: it is not the lab's."""
        raise ServerFailed("a server that already runs is not ended")

    def log(self) -> str:
        """Return nothing."""
        return ""

    def listen_counters(self) -> ListenCounters:
        """Return nothing: it may be in another network namespace, or on another machine."""
        return ListenCounters()

    def pids(self) -> Sequence[int]:
        """Return none."""
        return ()

    def denials(self) -> Denials:
        """Return nothing."""
        return Denials()

    def last_output(self) -> str:
        """Return nothing."""
        return ""

    def verify(self) -> None:
        """Raise ServerFailed unless a GET of the URL is answered 200, whole, within ANSWER_LIMIT_S."""
        asked = f"GET {self.url}"
        try:
            status, ended = self._get()
        except TimeoutError:
            raise ServerFailed(f"{asked}: no answer within {ANSWER_LIMIT_S:g} s") from None
        except ConnectionRefusedError:
            raise ServerFailed(f"{asked}: nothing listens there (connection refused)") from None
        except http.client.RemoteDisconnected:
            raise ServerFailed(f"{asked}: the connection was closed without an answer") from None
        except http.client.HTTPException as error:
            raise ServerFailed(f"{asked}: the answer is not HTTP ({type(error).__name__})") from None
        except OSError as error:
            raise ServerFailed(f"{asked}: {error.strerror or error}") from None
        if status != 200:
            redirect = ": give the address to which it leads" if 300 <= status < 400 else ""
            raise ServerFailed(f"{asked}: it answered {status}, not 200{redirect}")
        if not ended:
            raise ServerFailed(f"{asked}: the answer does not end")

    def _get(self) -> tuple[int, bool]:
        """Return the status of an answer, and whether it ended in time."""
        deadline = time.monotonic() + ANSWER_LIMIT_S
        connection = http.client.HTTPConnection(*self.address, timeout=ANSWER_LIMIT_S)
        try:
            connection.request("GET", address.parsed(self.url).path)
            response, count = connection.getresponse(), 0
            while more := response.read1(2**16):
                count += len(more)
                if count > MOST_BYTES or time.monotonic() > deadline:
                    return response.status, False
            return response.status, True
        finally:
            connection.close()


class RunningRuntime(LocalRuntime):
    """Runs load drivers as processes on this machine; the server is where it is."""

    name: RuntimeName = "url"
    starts_are_cheap: bool = False

    def __init__(self, lab: Lab, target: Target) -> None:
        super().__init__(lab)
        self._target, self._url = target, target.url or ""
        self.pinned = True  # the load generator; no core is given to the server

    def check(self, models: Sequence[Model]) -> None:
        """End what killed runs have left; raises UsageError if the server must not be loaded, or does not answer."""
        del models
        self.is_of_this_machine()
        leftovers.end()
        try:
            RunningServer(self._url).verify()
        except ServerFailed as error:
            raise UsageError(f"{error}: no load was sent (URL)") from None

    def is_of_this_machine(self) -> bool:
        """Return whether the server is on this machine; raises UsageError if it must not be loaded."""
        return address.check_allowed(self._url, remote=self._target.allow_remote)

    def plans(self, limit: float) -> Mapping[float, CpuPlan]:
        """Return the cores of the load generator, all that it may use; the server has those that it has."""
        mine, quota = cores.available(), limits.cpu_quota()
        most = cores.MOST_OF_THE_LOAD if quota is None else min(cores.MOST_OF_THE_LOAD, max(1, int(quota)))
        return {limit: CpuPlan(limit, (), mine[:most])}

    @contextmanager
    def serve(  # type: ignore[override]  # the server of another class
        self,
        model: Model,
        plan: CpuPlan,
        variables: Mapping[str, str] | None = None,
        command: ServerCommand | None = None,
    ) -> Iterator[RunningServer]:
        """Return the server, if its name still is of a host that may be loaded."""
        del model, plan, variables, command
        try:
            self.is_of_this_machine()
        except UsageError as error:
            raise ServerFailed(str(error)) from error
        yield RunningServer(self._url)

    @contextmanager
    def null_server(self, plan: CpuPlan) -> Iterator[str]:
        """Start it on the load generator's cores: no others are known to be free."""
        with super().null_server(replace(plan, server=plan.loadgen)) as url:
            yield url

    def pythons(self, models: Sequence[Model]) -> Mapping[str, Python]:
        """Return nothing: what runs the server is not known."""
        del models
        return {}
