"""The users of a chat server: the settings that table [crowd] has in every kind of experiment."""

from typing import Annotated

from pydantic import Field

from iolab.chat.entries import Transport
from iolab.experiment import Settings
from iolab.options import Option

MOST_USERS = 100_000
Users = Annotated[int, Field(ge=1, le=MOST_USERS)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ChatUsers(Settings):
    """Users that connect at `connect_rps` a second, by one of the transports, and stay; see experiments/crowd.toml."""

    transports: Annotated[
        tuple[Transport, ...], Option("Servers that support none of them are left out.", "--transport")
    ] = ("websocket", "poll")
    connect_rps: Annotated[float, Field(ge=1, le=100_000)] = 1000.0
    patience_s: Seconds = 10.0
    hold_s: Annotated[int, Field(ge=1, le=3600)] = 60
    dead_after_s: Annotated[int, Field(ge=10, le=3600)] = 300
    freeze_collector: Annotated[
        bool, Option("Keep Python's garbage collector from scanning connected users.", variable="GC_FREEZE")
    ] = True

    def stated_s(self, transport: Transport) -> float:
        """Return the time within which a server promises to detect that a user has vanished."""
        return (1.25 * self.hold_s if transport == "poll" else 0.0) + self.dead_after_s

    def described(self) -> str:
        """Return, for a report, how users connect, and how long they and the servers wait."""
        return (
            f"users connect at {self.connect_rps:,g}/s and wait {self.patience_s:g} s for the server's first answer; a"
            f" long poll lasts {self.hold_s} s, a quarter more or less; a user that has vanished is detected within"
            f" {self.dead_after_s} s, or so long after its long poll"
        )

    def variables(self, processes: int) -> dict[str, str]:
        """Return the environment variables of the chat servers."""
        return {
            "HOLD_S": str(self.hold_s),
            "DEAD_AFTER_S": str(self.dead_after_s),
            "PROCESSES": str(processes),
            "GC_FREEZE": str(int(self.freeze_collector)),
            "BACKLOG": "4096",  # the most that Linux allows by default (net.core.somaxconn)
        }
