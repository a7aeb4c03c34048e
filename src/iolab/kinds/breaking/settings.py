"""The settings of work that blocks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import CpuMs, Experiment, OneLimit, ServerSettings, Settings, WaitMs
from iolab.kinds.breaking.plan import Broken, Way
from iolab.options import Option


class Work(Settings):
    """The work of a request: a way does one of these."""

    wait_ms: WaitMs = 20.0
    cpu_ms: CpuMs = 5.0


class BreakExperiment(Experiment):
    """Ways to do a request's work, each loaded by `concurrency` users."""

    kind: Literal["break"]
    models: tuple[Literal["all"]] = ("all",)  # each way names its server
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
        for way in self.broken.ways:
            if not self.work_ms(way):
                raise ValueError(f"{way.name} computes, but [server] cpu_ms is 0: set how long")
        return self

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return ServerSettings(wait_ms=self.server.wait_ms, cpu_ms=self.server.cpu_ms).variables()

    def work_ms(self, way: Way) -> float:
        """Return how long a request's work takes in a way."""
        return self.server.wait_ms if way.work == "wait" else self.server.cpu_ms

    def variables_of(self, way: Way, watch_ms: float = 0.0) -> dict[str, str]:
        """Return the environment that makes a server work in a way, and log blocks of `watch_ms` or more (0: none)."""
        wait_ms, cpu_ms = (self.server.wait_ms, 0.0) if way.work == "wait" else (0.0, self.server.cpu_ms)
        sizes = {"POOL": str(way.pool), "THREADS": str(way.pool)}
        times = {"WAIT_MS": f"{wait_ms:g}", "CPU_MS": f"{cpu_ms:g}", "WATCH_MS": f"{watch_ms:g}"}
        return {**times, **sizes, "WORK_IN": way.place}
