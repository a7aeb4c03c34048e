"""The settings of a freeze experiment."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import Models, OneCount, OneLimit, Seed, ServedExperiment, Settings
from iolab.options import Option


class Freeze(Settings):
    """When a server is frozen: for `for_s` seconds, `after_s` seconds after the start of a load of `run_s` seconds."""

    after_s: Annotated[float, Field(gt=0, le=600)] = 4.0
    for_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    run_s: Annotated[float, Field(gt=0, le=3600)] = 10.0

    @model_validator(mode="after")
    def _over_before_the_end(self) -> Self:
        if self.after_s + self.for_s >= self.run_s:
            raise ValueError(
                f"after_s = {self.after_s:g} and for_s = {self.for_s:g} reach the end of run_s = {self.run_s:g}:"
                " the server must run again before the load ends"
            )
        return self


class FreezeExperiment(ServedExperiment):
    """One server, frozen once under `concurrency` users, and once under planned arrivals."""

    kind: Literal["freeze"]
    models: Annotated[Models, Option("The server to freeze: a letter or a name.")] = ("main",)
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    concurrency: Annotated[OneCount, Option("Users at once.", "--users")]
    freeze: Freeze = Freeze()
