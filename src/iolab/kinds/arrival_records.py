"""What is on disk of planned arrivals, whatever kind plans them."""

from typing import Annotated

from pydantic import Field

from iolab.results.records import LoadRecord, Record


class Calibration(Record):
    """A model's constant times: a request takes a worker `service_s`, the way there and back a client `transit_s`.

    `overhead_s` is the part of the former beyond what the server tells itself.
    """

    service_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    overhead_s: float
    transit_s: float


class OpenRecord(LoadRecord):
    """One line of trials.jsonl of an open loop: `requested` came as planned, at `rate_rps` for `plan_s` seconds.

    `utilisation` is that of each worker; None where any number of requests can wait. An open loop worked out the rate
    from `planned_utilisation` by the calibration of model `utilisation_of`; both are None in a search.

    `load_workers` is how many Locust workers made it, each a stream of its own (0: one process without any),
    `lost_workers` how many of them were lost. `calibrated` are the models that were calibrated right before it, by
    letter; `calibration` is that of its own.
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
    calibration: Calibration
    calibrated: dict[str, Calibration] = Field(default_factory=dict)
