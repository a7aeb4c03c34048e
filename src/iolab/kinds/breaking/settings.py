"""The settings of work that blocks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import CpuMs, Experiment, OneLimit, ServerSettings, Settings, WaitMs
from iolab.kinds.breaking.plan import Broken, Strategy
from iolab.options import Option


class Work(Settings):
    """The work of a request: a strategy does one of these."""

    wait_ms: WaitMs = 20.0
    cpu_ms: CpuMs = 5.0


class BreakExperiment(Experiment):
    """Ways to do a request's work, each loaded by `concurrency` users."""

    kind: Literal["break"]
    models: tuple[Literal["main"]] = ("main",)  # each strategy names its server
    cpus: OneLimit = (2.0,)
    concurrency: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1000)], ...],
        Field(min_length=1, max_length=1),
        Option("Users at once.", "--users"),
    ]
    server: Work = Work()
    broken: Broken

    @model_validator(mode="after")
    def _work_takes_time(self) -> Self:
        for strategy in self.broken.strategies:
            if not self.work_ms(strategy):
                raise ValueError(f"{strategy.name} computes, but [server] cpu_ms is 0: set how long")
        return self

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return ServerSettings(wait_ms=self.server.wait_ms, cpu_ms=self.server.cpu_ms).variables()

    def work_ms(self, strategy: Strategy) -> float:
        """Return how long a request's work takes in a strategy."""
        return self.server.wait_ms if strategy.work == "wait" else self.server.cpu_ms

    def variables_of(self, strategy: Strategy, watch_ms: float = 0.0) -> dict[str, str]:
        """Return the environment of a strategy's server, which logs blocks of `watch_ms` or more (0: none)."""
        wait_ms, cpu_ms = (self.server.wait_ms, 0.0) if strategy.work == "wait" else (0.0, self.server.cpu_ms)
        sizes = {"POOL": str(strategy.pool), "THREADS": str(strategy.pool)}
        times = {"WAIT_MS": f"{wait_ms:g}", "CPU_MS": f"{cpu_ms:g}", "WATCH_MS": f"{watch_ms:g}"}
        return {**times, **sizes, "WORK_IN": strategy.place}
