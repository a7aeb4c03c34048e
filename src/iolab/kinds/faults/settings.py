"""The settings of a faults experiment."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.chat.entries import Transport
from iolab.chat.settings import MOST_USERS, ChatUsers
from iolab.experiment import Experiment, Models, OneLimit, Seed, Settings
from iolab.options import Option

Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class Faults(Settings):
    """The size of each fault; experiments/faults.toml explains each setting."""

    click_rps: Rate = 50.0
    least_s: Seconds = 8.0
    broadcasts: Annotated[int, Field(ge=1, le=1000)] = 10
    broadcast_every_s: Seconds = 0.8
    stuck: Annotated[int, Field(ge=1, le=10_000)] = 10
    message_chars: Annotated[int, Field(ge=1, le=8000)] = 4000  # aiohttp accepts 8,190 in the first line of a request
    most_messages: Annotated[int, Field(ge=1, le=10_000)] = 200
    vanish_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    half_open: Annotated[int, Field(ge=1, le=20_000)] = 5000
    newcomers: Annotated[int, Field(ge=1, le=10_000)] = 200
    newcomer_rps: Rate = 50.0
    back_patience_s: Seconds = 60.0


class FaultUsers(ChatUsers):
    """The users of the server; they stay for all faults, by the first of the transports that it supports."""

    users: Annotated[
        tuple[Annotated[int, Field(ge=10, le=MOST_USERS)], ...],
        Field(min_length=1, max_length=1),
        Option("Users.", "--users"),
    ]
    transports: Annotated[
        tuple[Transport, ...], Option("The first one that the server supports is used.", "--transport")
    ] = ("websocket", "poll")
    freeze_collector: bool = True


class FaultsExperiment(Experiment):
    """Many users on one server, and one fault after another."""

    kind: Literal["faults"]
    models: Annotated[Models, Option("The server to disturb: a letter or a name.")] = ("main",)
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    crowd: FaultUsers
    faults: Faults = Faults()

    @model_validator(mode="after")
    def _some_read(self) -> Self:
        if self.faults.stuck >= self.crowd.users[0]:
            raise ValueError(
                f"[faults] stuck = {self.faults.stuck} of {self.crowd.users[0]} users (USERS): some must go on reading"
            )
        return self
