"""The users of a chat server: an experiment's table [crowd]."""

from typing import Annotated, Any

from pydantic import Field

from iolab.chat.entries import Transport
from iolab.experiment import Settings
from iolab.options import Option

MOST_USERS = 100_000
Users = Annotated[int, Field(ge=1, le=MOST_USERS)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Crowd(Settings):
    """Users that come at `come_rps` a second, stay, and now and then click: experiments/crowd.toml says the rest."""

    levels: Annotated[
        tuple[Users, ...],
        Field(min_length=1),
        Option("Numbers of users. Without it, the most that the machine allows are tried, too.", "--users"),
    ]
    most: Annotated[int, Field(ge=0, le=MOST_USERS)] = 0
    transports: Annotated[
        tuple[Transport, ...], Option("Servers that support none of them are left out.", "--transport")
    ] = ("websocket", "poll")
    come_rps: Annotated[float, Field(ge=1, le=100_000)] = 1000.0
    patience_s: Seconds = 10.0
    quiet_s: Seconds = 5.0
    busy_s: Seconds = 20.0
    click_every_s: Seconds = 100.0
    hold_s: Annotated[int, Field(ge=1, le=3600)] = 60
    dead_after_s: Annotated[int, Field(ge=10, le=3600)] = 300
    processes: Annotated[
        int, Field(ge=1, le=64), Option("Processes of a server, for servers that can share a port.")
    ] = 1
    freeze_collector: Annotated[
        bool, Option("Keep Python's garbage collector from scanning connected users.", variable="GC_FREEZE")
    ] = True

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes in which no higher level is tried than those that were given."""
        return {**changes, "most": 0} if "levels" in changes else changes

    def told(self) -> str:
        """Return in words, for a report, how users connect, and how long they and the servers wait."""
        return (
            f"users connect at {self.come_rps:,g}/s and wait {self.patience_s:g} s for the server's first answer; a"
            f" long poll lasts {self.hold_s} s, a quarter more or less; a user that has vanished is detected within"
            f" {self.dead_after_s} s, or so long after its long poll"
        )

    def variables(self, processes: int) -> dict[str, str]:
        """Return them as the environment variables that chat servers know."""
        return {
            "HOLD_S": str(self.hold_s),
            "DEAD_AFTER_S": str(self.dead_after_s),
            "PROCESSES": str(processes),
            "GC_FREEZE": str(int(self.freeze_collector)),
            "BACKLOG": "4096",  # the most that Linux gives without being asked (net.core.somaxconn)
        }
