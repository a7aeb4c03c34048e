"""Where servers run: in containers (docker.py) or as processes (local.py), behind one small protocol."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from iolab.host import proc
from iolab.host.activity import difference
from iolab.host.cores import CpuPlan
from iolab.lab import Model

NULL_SERVER = "null_server.py"


@dataclass(frozen=True)
class Snapshot:
    """A server's use of resources up to now (CPU, throttling) or just now (threads, memory); None: not known here."""

    cpu_s: float | None = None
    throttled_s: float | None = None
    threads: int | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True)
class ServerCommand:
    """Another way to run a model's server: its command, variables beside its own, and what its container may have.

    `files` (open ones, of each process), `tasks` and `memory_bytes` are limits; None leaves a container those that
    docker-compose.yml gives it. A local process has its user's.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str]
    files: int | None = None
    tasks: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Master:
    """Where a load driver listens for Locust workers: at `host`, which other machines reach, or for this one alone."""

    host: str | None
    port: int


@dataclass(frozen=True)
class ListenCounters:
    """TcpExt counters of the server's network namespace up to now; None: not known here.

    `overflows` and `drops` are packets that a full accept queue dropped: attempts (SYN), and last packets of a
    handshake (ACK). `cookies` are SYN cookies sent, `full_queue_cookies` those for a full queue of attempts.
    """

    overflows: int | None = None
    drops: int | None = None
    cookies: int | None = None
    full_queue_cookies: int | None = None

    @classmethod
    def parse(cls, netstat: str) -> "ListenCounters":
        """Return the counters of a text of net/netstat."""
        counted = proc.counters(netstat, "TcpExt")
        names = ("ListenOverflows", "ListenDrops", "SyncookiesSent", "TCPReqQFullDoCookies")
        return cls(*(counted.get(name) for name in names))

    def since(self, earlier: "ListenCounters") -> "ListenCounters":
        """Return what was counted since then."""
        return ListenCounters(
            difference(earlier.overflows, self.overflows),
            difference(earlier.drops, self.drops),
            difference(earlier.cookies, self.cookies),
            difference(earlier.full_queue_cookies, self.full_queue_cookies),
        )


@dataclass(frozen=True)
class Denials:
    """How often a server's control group has refused it something up to now; None: not known here.

    `tasks` is what it could not start for its limit of tasks, `kills` are processes that the kernel ended for memory.
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
        """Raise ServerFailed, with its last words, where the server has ended."""

    def snapshot(self) -> Snapshot:
        """Return its use of resources."""

    def freeze(self) -> None:
        """Let it stand still: it computes nothing until `thaw`, while the kernel goes on for it.

        Raises ServerFailed where it cannot be stopped.
        """

    def thaw(self) -> None:
        """Let it go on."""

    def kill(self) -> None:
        """End all its processes at once (SIGKILL), and return when they have ended.

        Raises ServerFailed where they cannot be ended.
        """

    def log(self) -> str:
        """Return all that it wrote up to now, even when it has ended."""

    def listen_counters(self) -> ListenCounters:
        """Return the counters of its listen queue."""

    def pids(self) -> Sequence[int]:
        """Return the pids of all its processes as this host sees them; none where an engine runs in a virtual machine.

        A server of several has all of them only when it has started them: so ask after it answers.
        """

    def denials(self) -> Denials:
        """Return what its control group has refused it."""

    def words(self) -> str:
        """Return the last lines that it wrote."""


class Runtime(Protocol):
    """A place to run servers and load drivers in. It is a context: when it ends, nothing of it is left.

    Where `starts_are_cheap`, every trial has a server of its own.
    """

    name: Literal["docker", "local"]
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

        `variables` stand above those that its environment was read with; `command` is another server of the same model.

        Raises ServerFailed where it does not come up.
        """

    def driver(
        self, script: str, plan: CpuPlan, master: Master | None = None, number: int = 0
    ) -> AbstractContextManager[Sequence[str]]:
        """Return the command that runs loadtest/`script` on the load generator's cores.

        With `master` it leads Locust workers, which come there. Drivers of another `number` have an address of their
        own, where the runtime has such.
        """

    def load_workers(self, count: int, plan: CpuPlan, master: Master) -> AbstractContextManager[None]:
        """Start so many Locust workers of that master on the load generator's cores, and stop them at the end."""

    def null_server(self, plan: CpuPlan) -> AbstractContextManager[str]:
        """Start loadtest/null_server.py on the server's cores, without a quota; return the load generator's URL of it.

        Raises ServerFailed where it does not come up.
        """

    def facts(self) -> Mapping[str, Any]:
        """Return what a reader of the results must know about it: engine, versions, settings of its kernel's TCP."""
