"""The settings of a closed loop."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import Count, Seed, Settings, VariedExperiment
from iolab.options import SHARE, Option

MOST_TRIALS = 10_000  # of a server: a day


class Load(Settings):
    """What the load generator does in one trial."""

    requests: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Option("Requests a trial, rounded up to a multiple of the users, at most 1,000,000."),
    ] = 200
    generator: Annotated[
        Literal["auto", "hey", "locust"], Option("Load generator; auto: hey where it is installed.", "--loadgen")
    ] = "auto"


class ClosedExperiment(VariedExperiment):
    """Models, numbers of users, CPU limits and variants: each combination is a cell, measured `repeats` times."""

    kind: Literal["closed"]
    seed: Seed = 0
    concurrency: Annotated[tuple[Count, ...], Field(min_length=1), Option("Numbers of users at once.")]
    repeats: Annotated[int, Field(ge=1, le=1000), Option("Trials a cell.")] = 3
    precision: Annotated[
        float | None,
        Field(gt=0, lt=1, allow_inf_nan=False),
        Option("Add rounds until every median is known within this share, such as 3%.", word=SHARE),
    ] = None
    budget_s: Annotated[
        float, Field(gt=0, le=86_400, allow_inf_nan=False), Option("Time limit for the rounds that PRECISION adds.")
    ] = 600.0
    load: Load = Load()

    @model_validator(mode="after")
    def _not_too_many_trials(self) -> Self:
        number = len(self.concurrency) * len(self.cpus) * len(self.variants) * self.repeats
        if number > MOST_TRIALS:
            raise ValueError(
                f"concurrency, cpus, vary and repeats make {number:,} trials of each server: at most {MOST_TRIALS:,}"
            )
        return self

    @model_validator(mode="after")
    def _a_budget_is_for_a_precision(self) -> Self:
        if self.precision is None and self.budget_s != type(self).model_fields["budget_s"].default:
            raise ValueError(f"budget_s = {self.budget_s:g} (BUDGET) needs a precision, such as PRECISION=3%")
        return self

    @property
    def generator(self) -> Literal["auto", "hey", "locust"]:
        """The load generator that is asked for."""
        return self.load.generator
