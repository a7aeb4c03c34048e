"""The settings of a simultaneous exhibition."""

from typing import Annotated, Literal

from pydantic import Field

from iolab.experiment import Backlog, Experiment, OneLimit, ServerSettings, Settings, Threads
from iolab.kinds.chess.plan import Rules
from iolab.options import Option


class ChessServer(Settings):
    """Settings of the servers besides the wait (an opponent thinks) and the computing (the master moves)."""

    backlog: Backlog = None
    threads: Threads = 8


class ChessExperiment(Experiment):
    """The rules; `concurrency` is the number of boards."""

    kind: Literal["chess"]
    cpus: OneLimit = (1.0,)
    concurrency: Annotated[
        tuple[Annotated[int, Field(ge=1, le=500)], ...],
        Field(min_length=1, max_length=1),
        Option("Opponents, each at a board.", "--boards"),
    ]
    server: ChessServer = ChessServer()
    chess: Rules = Rules()

    @property
    def boards(self) -> int:
        """How many opponents play."""
        return self.concurrency[0]

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return ServerSettings(
            wait_ms=self.chess.opponent_ms,
            cpu_ms=self.chess.master_ms,
            backlog=self.server.backlog,
            threads=self.server.threads,
        ).variables()
