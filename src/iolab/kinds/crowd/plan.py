"""What a crowd is to do, and which chat servers there are: an experiment's table [crowd] becomes scenes and levels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from iolab.errors import UsageError
from iolab.host.capacity import Need
from iolab.kinds.crowd.records import Way
from iolab.lab import COMPOSE_FILE, Model

CHAT, PROCESSES, THREADS = "iolab.chat", "iolab.chat.processes", "iolab.chat.threads"
MOST_USERS = 100_000
Users = Annotated[int, Field(ge=1, le=MOST_USERS)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Crowd(BaseModel):
    """People who come at `come_rps` a second, stay, and now and then click: experiments/crowd.toml says the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    levels: Annotated[tuple[Users, ...], Field(min_length=1)]
    most: Annotated[int, Field(ge=0, le=MOST_USERS)] = 0
    ways: tuple[Way, ...] = ("websocket", "poll")
    come_rps: Annotated[float, Field(ge=1, le=100_000)] = 1000.0
    patience_s: Seconds = 10.0
    quiet_s: Seconds = 5.0
    busy_s: Seconds = 20.0
    click_every_s: Seconds = 100.0
    hold_s: Annotated[int, Field(ge=1, le=3600)] = 60
    dead_after_s: Annotated[int, Field(ge=10, le=3600)] = 300
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    freeze_collector: bool = True

    def variables(self, processes: int) -> dict[str, str]:
        """Return them as the environment variables that chat servers know."""
        return {
            "HOLD_S": str(self.hold_s),
            "DEAD_AFTER_S": str(self.dead_after_s),
            "PROCESSES": str(processes),
            "GC_FREEZE": str(int(self.freeze_collector)),
            "BACKLOG": "4096",  # the most that Linux gives without being asked (net.core.somaxconn)
        }


@dataclass(frozen=True)
class Scene:
    """One chat server of a model: the `script` of its folder speaks `way`, in so many `processes`."""

    model: Model
    way: Way
    script: str
    processes: int
    thread_each: bool  # every user has a thread

    @property
    def title(self) -> str:
        """What it is called while it is measured."""
        several = f", {self.processes} processes" if self.processes > 1 else ""
        return f"{self.model.letter} {self.way}{several}"

    def need(self, users: int, client_processes: int, client_containers: int | None) -> Need:
        """Return what is to be held, for the limits; without containers of the client the server is a process, too."""
        need = Need(
            users,
            self.processes,
            client_processes=client_processes,
            container=client_containers is not None,
            client_containers=client_containers,
            divisible=self.way in self.model.service.labels.get(PROCESSES, "").split(),
        )
        return need.with_threads() if self.thread_each else need


def scenes(models: Sequence[Model], crowd: Crowd) -> list[Scene]:
    """Return the chat servers of the models in the wanted ways; raises UsageError where there is none."""
    found = list(_scenes(models, crowd))
    if not found:
        names = ", ".join(model.letter for model in models)
        raise UsageError(
            f"no chat server of {names} speaks {' or '.join(crowd.ways)}"
            f"{f' in {crowd.processes} processes' if crowd.processes > 1 else ''}: see {CHAT} in {COMPOSE_FILE}"
        )
    return found


def _scenes(models: Sequence[Model], crowd: Crowd) -> Iterator[Scene]:
    for model in models:
        labels = model.service.labels
        for word in labels.get(CHAT, "").split():
            way, _, script = word.partition("=")
            if way not in ("websocket", "poll") or not script:
                raise UsageError(f"{COMPOSE_FILE}: service {model.name}: {CHAT} has {word!r}; it must be WAY=SCRIPT")
            can_share = way in labels.get(PROCESSES, "").split()
            if way in crowd.ways and (crowd.processes == 1 or can_share):
                yield Scene(model, way, script, crowd.processes, labels.get(THREADS) == "each")
