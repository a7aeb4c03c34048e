"""The settings of an open loop."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iolab.errors import UsageError
from iolab.experiment import OneLimit, Seed, Settings, VariedExperiment
from iolab.loadgen.workers import ALONE, Senders
from iolab.options import FILE, SHARE, Option

Share = Annotated[float, Field(gt=0, lt=1)]


class Arrivals(Settings):
    """Requests that arrive whether or not the server keeps up, for `duration_s` at each utilisation.

    A utilisation is the share of the time that each worker of a model is busy. A model that handles any number of
    requests at once has no utilisation: it is measured at the rates of the others, for `others_duration_s` each. A
    trace is a file with an arrival time, in seconds, in each line; its times are scaled to the wanted rate.
    """

    process: Annotated[Literal["poisson", "constant", "trace"], Option("Arrival process.")] = "poisson"
    duration_s: Annotated[float, Field(ge=1, le=3600), Option("Duration of each plan.")] = 30.0
    others_duration_s: Annotated[float, Field(ge=1, le=3600)] = 6.0
    utilisation: Annotated[
        dict[str, Annotated[tuple[Share, ...], Field(min_length=1, max_length=100)]], Field(min_length=1)
    ]
    every_utilisation: Annotated[
        tuple[Share, ...],
        Field(max_length=100),
        Option(
            "Utilisations of each worker, for every model with a queue, such as 0.5,0.9.",
            "--utilisation",
            default="each model's own",
            word=SHARE,
        ),
    ] = ()  # instead of a model's own
    trace: Annotated[
        str | None, Option("File with an arrival time, in seconds, in each line; it is scaled to each rate.", word=FILE)
    ] = None

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes in which a trace sets the process; raises UsageError if they contradict each other."""
        trace, process = changes.get("trace"), changes.get("process")
        if trace is None and process == "trace":
            raise UsageError("PROCESS=trace: give the file, with TRACE=")
        if trace is not None and process not in (None, "trace"):
            raise UsageError(f"TRACE={trace}: PROCESS={process} does not use a trace; leave one of them out")
        return changes if trace is None else {**changes, "process": "trace"}

    @model_validator(mode="after")
    def _a_trace_is_played(self) -> Self:
        if self.process == "trace" and self.trace is None:
            raise ValueError('process = "trace" needs a file: trace = "..."')
        if self.process != "trace" and self.trace is not None:
            raise ValueError(f'trace = "{self.trace}" needs process = "trace", not "{self.process}"')
        return self

    def shares(self, letter: str) -> tuple[float, ...]:
        """Return the utilisations of a model; an empty tuple if it is measured at the rates of the others."""
        own = self.utilisation.get(letter, ())
        return self.every_utilisation or own if own else ()


class OpenExperiment(VariedExperiment):
    """Arrivals at one or several utilisations of each model and variant."""

    kind: Literal["open"]
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    arrivals: Arrivals
    load: Senders = ALONE

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes in which a distribution of the wait replaces the variants."""
        server = dict(changes.pop("server", {}))
        wanted = server.pop("wait_distribution", None)
        variants = {"vary": [{"name": wanted, "wait_distribution": wanted}]} if wanted else {}
        return {**changes, **({"server": server} if server else {}), **variants}

    @property
    def host(self) -> str | None:
        """The address by which other machines reach the servers; None if they need not. Raises UsageError."""
        return self.load.address
