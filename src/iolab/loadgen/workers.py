"""What sends planned arrivals: one Locust process, or a crew of Locust workers on this machine and on others."""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from iolab.errors import UsageError
from iolab.experiment import Settings
from iolab.host.cores import CpuPlan
from iolab.loadgen.openloop import OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.options import Option, Word
from iolab.runtime import Master, Runtime

MASTER_PORT = 5557
MOST_RPS = 1500.0  # that one Locust process sends in time: see docs/queueing.md
ADDRESS = Word("ADDRESS", str, "an address")
START_LIMIT_S, JOIN_LIMIT_S = 60.0, 600.0


class Crew(Settings):
    """`workers` are started on this machine's load cores, `join` come from other machines to `bind`:`port`.

    Without any, the load driver sends everything itself.
    """

    workers: Annotated[
        int, Field(ge=0, le=64), Option("Locust workers to start here; 0: one process sends everything.")
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
        """Return changes without an address, unless a worker joins: others than this command have these variables."""
        return changes if changes.get("join") else {n: v for n, v in changes.items() if n not in ("bind", "port")}

    @model_validator(mode="after")
    def _others_need_the_address(self) -> Self:
        if self.bind and not self.join:
            raise ValueError(f'bind = "{self.bind}" is for workers of other machines: say how many with join (JOIN)')
        return self

    @property
    def size(self) -> int:
        """How many workers there are to be."""
        return self.workers + self.join

    @property
    def address(self) -> str | None:
        """The address by which other machines reach this one; None where none is to join.

        Raises UsageError where `bind` is not such an address.
        """
        if not self.join:
            return None
        try:
            known = ipaddress.ip_address(self.bind or "127.0.0.1")
        except ValueError:
            known = None
        if known is None or known.is_loopback or known.is_unspecified:
            said = f", and BIND={self.bind} is none" if self.bind else ""
            raise UsageError(
                f"JOIN={self.join}: others need this machine's address{said}: give it, such as BIND=192.168.1.10"
            )
        return self.bind

    @property
    def invitation(self) -> str:
        """What to type on the other machines."""
        port = "" if self.port == MASTER_PORT else f" LOCUST_MASTER_PORT={self.port}"
        return f"make worker MASTER={self.bind}{port}"

    def most_rps(self, plan: CpuPlan) -> float:
        """Return the arrivals a second that are sent in time: a core here is no more than one worker's."""
        return MOST_RPS * max(1, min(self.workers, len(plan.loadgen)) + self.join)


ALONE = Crew()
Senders = Annotated[Crew, Field(exclude_if=lambda crew: crew == ALONE)]  # of an experiment: told where there are some


@contextmanager
def gathered(crew: Crew, runtime: Runtime, plan: CpuPlan, say: Callable[[str], None]) -> Iterator[OpenLoop]:
    """Yield the generator, when all workers are there; raises UsageError where they do not come.

    At the end the workers are sent home, those of other machines too.
    """
    if not crew.size:
        with running_generator(OpenLoop, runtime, plan) as alone:
            yield alone
        return
    master = Master(crew.address, crew.port)
    with (
        running_generator(OpenLoop, runtime, plan, master) as generator,
        runtime.load_workers(crew.workers, plan, Master(crew.address, generator.port or crew.port)),
    ):
        say(f"Waiting for {crew.size} load workers" + (f"; elsewhere: {crew.invitation}" if crew.join else ""))
        limit_s = JOIN_LIMIT_S if crew.join else START_LIMIT_S
        there = generator.gather(crew.size, limit_s)
        if there < crew.size:
            todo = f": on each other machine, {crew.invitation}" if crew.join else ""
            raise UsageError(f"{there} of {crew.size} load workers came within {limit_s:g} s{todo}")
        yield generator
