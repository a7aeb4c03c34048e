"""The users of a chat server: what an experiment's table [crowd] has, whatever happens to them."""

from typing import Annotated

from pydantic import Field

from iolab.chat.entries import Way
from iolab.experiment import Settings

MOST_USERS = 100_000
Users = Annotated[int, Field(ge=1, le=MOST_USERS)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ChatUsers(Settings):
    """Users that come at `come_rps` a second, by one of these ways, and stay: experiments/crowd.toml says the rest."""

    ways: tuple[Way, ...] = ("websocket", "poll")
    come_rps: Annotated[float, Field(ge=1, le=100_000)] = 1000.0
    patience_s: Seconds = 10.0
    hold_s: Annotated[int, Field(ge=1, le=3600)] = 60
    dead_after_s: Annotated[int, Field(ge=10, le=3600)] = 300
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
