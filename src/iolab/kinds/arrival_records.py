"""The records of planned arrivals, for every kind that plans them."""

from typing import Annotated

from pydantic import Field

from iolab.results.records import LoadRecord, Record


class Calibration(Record):
    """A model's constant times: a request occupies a worker for `service_s`; client and network add `transit_s`.

    `overhead_s` is the part of `service_s` beyond the service time that the server reports.
    """

    service_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    overhead_s: float
    transit_s: float


class OpenRecord(LoadRecord):
    """One line of trials.jsonl of an open loop: `requested` arrivals at `rate_rps` for `plan_s` seconds.

    `utilisation` is that of each worker; None if the model has no queue. An open loop computes the rate from
    `planned_utilisation` and the calibration of model `utilisation_of`; both are None in a search.

    `load_workers` is how many Locust workers sent it, each a stream of its own (0: one process without workers),
    `lost_workers` how many of them were lost. `calibrated` are the calibrations measured right before it, by model;
    `calibration` is that of its own model. `queues` is how many accept queues the server's workers have.
    """

    load_workers: int = 0
    lost_workers: int = 0
    process: str
    rate_rps: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    plan_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    seed: int
    utilisation: float | None
    planned_utilisation: float | None = None
    utilisation_of: str | None = None
    queues: Annotated[int, Field(ge=1)] = 1
    calibration: Calibration
    calibrated: dict[str, Calibration] = Field(default_factory=dict)
