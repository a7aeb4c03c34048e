"""The faults in their order; all of them happen to one server with many connected users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from iolab.chat import servers
from iolab.chat.servers import ChatServer
from iolab.errors import UsageError
from iolab.host.limits import Facts
from iolab.kinds.faults.records import Fault, FaultRecord
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.lab import Model
from iolab.report.numbers import counted

FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True)
class Trial:
    """One fault. `allowed` users connect: as many as `asked`, or as many as the machine allows (`capped` says why)."""

    index: int
    fault: Fault
    chat: ChatServer
    asked: int
    allowed: int
    capped: str


def chat_server_of(experiment: FaultsExperiment, models: Sequence[Model]) -> ChatServer:
    """Return the chat server of the experiment; raises UsageError for several, or if it cannot hold many users."""
    if len(models) != 1:
        raise UsageError(f"MODELS={','.join(experiment.models)}: faults are for one server at a time: name one")
    (model,) = models
    if model.workers != float("inf"):
        raise UsageError(
            f"MODELS={model.letter}: {model.title} serves only {counted(int(model.workers), 'user')} at a time:"
            " choose C or D"
        )
    return servers.chat_servers(models, experiment.crowd.transports)[0]


def expected_s(experiment: FaultsExperiment, chat: ChatServer) -> float:
    """Return about how long the faults take: the server notices users that vanish or do not read as it promises."""
    faults, crowd = experiment.faults, experiment.crowd
    noticed_s = crowd.stated_s(chat.transport)
    own_s = {
        "broadcast": faults.broadcasts * faults.broadcast_every_s,
        "slow": noticed_s,
        "vanished": noticed_s,
        "half_open": 2 * faults.newcomers / faults.newcomer_rps,
    }
    connect_s = crowd.users[0] / crowd.connect_rps
    return connect_s + sum(max(faults.least_s, own_s.get(fault, 0.0)) for fault in FAULTS)


def room(experiment: FaultsExperiment, chat: ChatServer, facts: Facts, *, docker: bool) -> tuple[int, str]:
    """Return how many users can connect, and a sentence that says why not all; raises UsageError if none can."""
    (asked,) = experiment.crowd.users
    return servers.room(chat, asked, facts, docker=docker, more=experiment.faults.newcomers)


def trials(
    experiment: FaultsExperiment, chat: ChatServer, records: Sequence[FaultRecord], facts: Facts, *, docker: bool
) -> Iterator[Trial]:
    """Yield the faults, up to one that could not be measured: after that, users may be missing.

    Raises UsageError if no user can connect.
    """
    asked = experiment.crowd.users[0]
    allowed, capped = room(experiment, chat, facts, docker=docker)
    for index, fault in enumerate(FAULTS):
        if records and not records[-1].valid:
            return
        yield Trial(index, fault, chat, asked, allowed, capped)
