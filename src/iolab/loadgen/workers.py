"""The senders of planned arrivals: processes on this machine, or Locust workers on this machine and on others."""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from iolab.errors import UsageError
from iolab.experiment import Settings
from iolab.host.cores import CpuPlan
from iolab.loadgen.openloop import LedWorkers, OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.options import Option, Word
from iolab.runtime import Master, Runtime

MASTER_PORT = 5557
MOST_RPS = 20_000.0  # that one process sends in time: see docs/queueing.md
ADDRESS = Word("ADDRESS", str, "an address")
START_LIMIT_S, JOIN_LIMIT_S = 60.0, 600.0


class Crew(Settings):
    """`workers` are started on this machine's load cores; `join` workers of other machines connect to `bind`:`port`.

    Without any, the load driver sends everything itself, with a process on each load core that it needs.
    """

    workers: Annotated[
        int, Field(ge=0, le=64), Option("Locust workers to start here; 0: no worker, this machine sends everything.")
    ] = 0
    join: Annotated[
        int, Field(ge=0, le=1000), Option("Locust workers to wait for: `make worker` on other machines.")
    ] = 0
    bind: Annotated[str, Option("Address by which other machines reach this one.", word=ADDRESS)] = ""
    port: Annotated[
        int,
        Field(ge=1, le=65_535),
        Option("Port that workers of other machines join.", "--master-port", "LOCUST_MASTER_PORT"),
    ] = MASTER_PORT

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes without an address unless a worker joins: other commands have these variables, too."""
        return changes if changes.get("join") else {n: v for n, v in changes.items() if n not in ("bind", "port")}

    @model_validator(mode="after")
    def _others_need_the_address(self) -> Self:
        if self.bind and not self.join:
            raise ValueError(f'bind = "{self.bind}" is for workers of other machines: say how many with join (JOIN)')
        return self

    @property
    def size(self) -> int:
        """How many workers are expected."""
        return self.workers + self.join

    @property
    def address(self) -> str | None:
        """The address by which other machines reach this one; None if no worker of another machine joins.

        Raises UsageError if `bind` is not such an address.
        """
        if not self.join:
            return None
        try:
            address = ipaddress.ip_address(self.bind or "127.0.0.1")
        except ValueError:
            address = None
        if address is None or address.is_loopback or address.is_unspecified:
            wrong = f", and BIND={self.bind} is not such an address" if self.bind else ""
            raise UsageError(
                f"JOIN={self.join}: other machines need this machine's address{wrong}: give it, as in BIND=192.168.1.10"
            )
        return self.bind

    @property
    def invitation(self) -> str:
        """The command for the other machines."""
        port = "" if self.port == MASTER_PORT else f" LOCUST_MASTER_PORT={self.port}"
        return f"make worker MASTER={self.bind}{port}"

    def most_rps(self, plan: CpuPlan) -> float:
        """Return the arrivals a second that can be sent in time: a process, and so a worker, uses one core."""
        cores = len(plan.loadgen)
        return MOST_RPS * (min(self.workers, cores) + self.join if self.size else cores)


ALONE = Crew()
Senders = Annotated[
    Crew, Field(exclude_if=lambda crew: crew == ALONE)
]  # of an experiment: written only if there are any


@contextmanager
def gathered(crew: Crew, runtime: Runtime, plan: CpuPlan, say: Callable[[str], None]) -> Iterator[OpenLoop]:
    """Yield the generator when all workers have joined; raises UsageError if they do not.

    At the end the workers are told to stop, those of other machines too.
    """
    if not crew.size:
        with running_generator(OpenLoop, runtime, plan) as one:
            yield one
        return
    master = Master(crew.address, crew.port)
    with (
        running_generator(LedWorkers, runtime, plan, master) as generator,
        runtime.load_workers(crew.workers, plan, Master(crew.address, generator.port)),
    ):
        say(
            f"Waiting for {crew.size} load workers"
            + (f"; on each other machine: {crew.invitation}" if crew.join else "")
        )
        limit_s = JOIN_LIMIT_S if crew.join else START_LIMIT_S
        joined = generator.gather(crew.size, limit_s)
        if joined < crew.size:
            todo = f": on each other machine, {crew.invitation}" if crew.join else ""
            raise UsageError(f"{joined} of {crew.size} load workers joined within {limit_s:g} s{todo}")
        yield generator
