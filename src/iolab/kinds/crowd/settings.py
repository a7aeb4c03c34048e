"""The settings of a crowd experiment."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iolab.chat.entries import Form
from iolab.chat.settings import MOST_USERS, ChatUsers, Seconds, Users
from iolab.experiment import Experiment, OneLimit, Seed, Settings, Threads
from iolab.options import Option


class Pool(Settings):
    """The thread pool of the servers that have one."""

    threads: Threads = 8


class Crowd(ChatUsers):
    """Several numbers of users, that click now and then; `most` is tried last, as far as the machine allows."""

    users: Annotated[
        tuple[Users, ...],
        Field(min_length=1, max_length=100),
        Option("Numbers of users. Without it, as many as the machine allows are tried, too.", "--users"),
    ]
    forms: Annotated[
        tuple[Form, ...],
        Option("Forms of the chat servers: usual, without a library, with compression.", "--chat"),
    ] = ("usual",)
    most: Annotated[int, Field(ge=0, le=MOST_USERS)] = 0
    quiet_s: Seconds = 5.0
    busy_s: Seconds = 20.0
    click_every_s: Seconds = 100.0
    processes: Annotated[
        int, Field(ge=1, le=64), Option("Processes of a server, for servers that can share a port.")
    ] = 1

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes in which `most` is off if numbers of users are given."""
        return {**changes, "most": 0} if "users" in changes else changes

    @model_validator(mode="after")
    def _most_is_more(self) -> Self:
        if self.most and self.most <= max(self.users):
            raise ValueError(f"most = {self.most} must be above {max(self.users)}, the most users, or 0: off")
        return self


class CrowdExperiment(Experiment):
    """Numbers of users that stay connected, on one chat server after another."""

    kind: Literal["crowd"]
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    server: Pool = Pool()
    crowd: Crowd

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {"THREADS": str(self.server.threads)}
