"""The settings of a closed loop."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iolab.experiment import Count, ServedExperiment, Settings


class Load(Settings):
    """What the load generator does in one trial."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    generator: Literal["auto", "hey", "locust"] = "auto"


class ClosedExperiment(ServedExperiment):
    """Models, numbers of users, CPU limits and variants: each combination is a cell, measured `repeats` times."""

    kind: Literal["closed"]
    concurrency: Annotated[tuple[Count, ...], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=1, le=1000)] = 3
    precision: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    budget_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 600.0
    load: Load = Load()

    @model_validator(mode="after")
    def _a_budget_is_for_a_precision(self) -> Self:
        if self.precision is None and self.budget_s != type(self).model_fields["budget_s"].default:
            raise ValueError(f"budget_s = {self.budget_s:g} (BUDGET) needs a precision, such as PRECISION=3%")
        return self

    @property
    def generator(self) -> Literal["auto", "hey", "locust"]:
        """The load generator that is asked for."""
        return self.load.generator
