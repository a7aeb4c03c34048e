"""Where servers run: in containers (docker.py) or as processes (local.py), behind one small protocol."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from iolab.host import proc
from iolab.host.activity import difference
from iolab.host.cores import CpuPlan
from iolab.host.python import Python
from iolab.lab import Model
from iolab.results.run_info import CpuPlanInfo, RuntimeName

NULL_SERVER = "null_server.py"


def plan_info(plan: CpuPlan, *, pinned: bool) -> CpuPlanInfo:
    """Return the record of a plan; `pinned` is whether the runtime can enforce it."""
    return CpuPlanInfo(
        cpus=plan.cpus,
        server=plan.server,
        loadgen=plan.loadgen,
        shared=plan.shared,
        pinned=pinned,
        siblings=plan.siblings,
    )


@dataclass(frozen=True)
class Snapshot:
    """A server's use of resources: in total (CPU, throttling) or now (threads, memory); None: not available."""

    cpu_s: float | None = None
    throttled_s: float | None = None
    threads: int | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True)
class ServerCommand:
    """Another way to run a model's server: its command, additional variables, and the limits of its container.

    `files` (open ones, of each process), `tasks` and `memory_bytes` are limits; None leaves the limits of
    docker-compose.yml. A local process has the limits of its user.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str]
    files: int | None = None
    tasks: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Master:
    """Where a load driver listens for Locust workers: at `host`, which other machines reach, or locally."""

    host: str | None
    port: int


@dataclass(frozen=True)
class ListenCounters:
    """TcpExt counters of the server's network namespace; None: not available.

    `overflows` and `drops` are packets that a full accept queue dropped: attempts (SYN), and last packets of a
    handshake (ACK). `cookies` are SYN cookies sent, `full_queue_cookies` those for a full queue of attempts.
    """

    overflows: int | None = None
    drops: int | None = None
    cookies: int | None = None
    full_queue_cookies: int | None = None

    @classmethod
    def parse(cls, netstat: str) -> "ListenCounters":
        """Return the counters in the text of net/netstat."""
        counted = proc.counters(netstat, "TcpExt")
        names = ("ListenOverflows", "ListenDrops", "SyncookiesSent", "TCPReqQFullDoCookies")
        return cls(*(counted.get(name) for name in names))

    def since(self, earlier: "ListenCounters") -> "ListenCounters":
        """Return the differences from an earlier reading."""
        return ListenCounters(
            difference(earlier.overflows, self.overflows),
            difference(earlier.drops, self.drops),
            difference(earlier.cookies, self.cookies),
            difference(earlier.full_queue_cookies, self.full_queue_cookies),
        )


@dataclass(frozen=True)
class Denials:
    """How often a server's control group has refused it something; None: not available.

    `tasks` counts tasks that it could not start because of its limit, `kills` processes that the kernel killed because
    of the memory limit.
    """

    tasks: int | None = None
    kills: int | None = None


class Server(Protocol):
    """A server that runs: `url` is for the load generator, `address` for this process.

    `sample_every_s` is how often its snapshot may be asked for while it is under load.
    """

    url: str
    address: tuple[str, int]
    sample_every_s: float

    def check_alive(self) -> None:
        """Raise ServerFailed, with its last output, if the server has ended."""

    def snapshot(self) -> Snapshot:
        """Return its use of resources."""

    def freeze(self) -> None:
        """Freeze it: its processes do not run until `thaw`, while the kernel still accepts connections for it.

        Raises ServerFailed if it cannot be stopped.
        """

    def thaw(self) -> None:
        """Let it run again."""

    def kill(self) -> None:
        """End all its processes at once (SIGKILL), and return when they have ended.

        Raises ServerFailed if they cannot be killed.
        """

    def log(self) -> str:
        """Return all its output, even if it has ended."""

    def listen_counters(self) -> ListenCounters:
        """Return the counters of its accept queue."""

    def pids(self) -> Sequence[int]:
        """Return the pids of all its processes on this host; an empty list if the engine runs in a virtual machine.

        A server of several processes may start some of them after its first answer, so call this again when it matters.
        """

    def denials(self) -> Denials:
        """Return how often its control group has refused it something."""

    def last_output(self) -> str:
        """Return the last lines of its output."""


class Runtime(Protocol):
    """A place to run servers and load drivers in. It is a context: when it ends, it has stopped all that it started.

    If `starts_are_cheap`, every trial has a server of its own.
    """

    name: RuntimeName
    pinned: bool
    starts_are_cheap: bool

    def __enter__(self) -> "Runtime": ...

    def __exit__(self, *exception: object) -> None: ...

    def serve(
        self,
        model: Model,
        plan: CpuPlan,
        variables: Mapping[str, str] | None = None,
        command: ServerCommand | None = None,
    ) -> AbstractContextManager[Server]:
        """Start a model's server with these limits and wait until it answers; stop it at the end.

        `variables` override those that its environment was read with; `command` is another server of the same model.

        Raises ServerFailed if it does not start.
        """

    def driver(
        self, script: str, plan: CpuPlan, master: Master | None = None, number: int = 0
    ) -> AbstractContextManager[Sequence[str]]:
        """Return the command that runs loadtest/`script` on the load generator's cores.

        With `master` it leads Locust workers, which connect there. Drivers of different numbers have addresses of their
        own if the runtime supports that.
        """

    def load_workers(self, count: int, plan: CpuPlan, master: Master) -> AbstractContextManager[None]:
        """Start `count` Locust workers of that master on the load generator's cores, and stop them at the end."""

    def null_server(self, plan: CpuPlan) -> AbstractContextManager[str]:
        """Start loadtest/null_server.py on the server's cores, without a quota; return its URL for the load generator.

        Raises ServerFailed if it does not start.
        """

    def pythons(self, models: Sequence[Model]) -> Mapping[str, Python]:
        """Return the Python of each model's server by its service's name, as far as it is known."""

    def facts(self) -> Mapping[str, Any]:
        """Return what a reader of the results must know about it: engine, versions, settings of its kernel's TCP."""
