"""The settings of an open loop."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import OneLimit, ServedExperiment, Settings
from iolab.loadgen.workers import ALONE, Senders

Share = Annotated[float, Field(gt=0, lt=1)]


class Arrivals(Settings):
    """Requests that arrive whether or not the server keeps up, for `duration_s` at each utilisation.

    A utilisation is the share of the time that each worker of a model is busy. A model that lets any number of requests
    wait has none: it is measured at the rates of the others, for `others_duration_s` each. A trace is a file with a
    moment of arrival, in seconds, in each line; it is played faster or slower to come at the wanted rate.
    """

    process: Literal["poisson", "constant", "trace"] = "poisson"
    duration_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    others_duration_s: Annotated[float, Field(ge=1, le=3600)] = 6.0
    utilisation: Annotated[dict[str, Annotated[tuple[Share, ...], Field(min_length=1)]], Field(min_length=1)]
    every_utilisation: tuple[Share, ...] = ()  # of every model that has some, instead of its own
    trace: str | None = None

    @model_validator(mode="after")
    def _a_trace_is_played(self) -> Self:
        if self.process == "trace" and self.trace is None:
            raise ValueError('process = "trace" needs a file: trace = "..."')
        if self.process != "trace" and self.trace is not None:
            raise ValueError(f'trace = "{self.trace}" needs process = "trace", and it is "{self.process}"')
        return self

    def shares(self, letter: str) -> tuple[float, ...]:
        """Return the utilisations of a model; none where it is to be measured at the rates of the others."""
        own = self.utilisation.get(letter, ())
        return self.every_utilisation or own if own else ()


class OpenExperiment(ServedExperiment):
    """Arrivals at one or several utilisations of each model and variant."""

    kind: Literal["open"]
    cpus: OneLimit = (1.0,)
    arrivals: Arrivals
    load: Senders = ALONE

    @property
    def host(self) -> str | None:
        """The address by which other machines reach the servers; None where none is to. Raises UsageError."""
        return self.load.address
