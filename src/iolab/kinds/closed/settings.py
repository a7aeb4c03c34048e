"""The settings of a closed loop."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iolab import options
from iolab.errors import UsageError
from iolab.experiment import Count, Seed, ServerSettings, Settings, Target, VariedExperiment
from iolab.options import SHARE, Option

MOST_TRIALS = 10_000  # of a server: a day
OF_A_RUNNING_SERVER = (  # options that need no access to it
    "URL", "WORKERS", "WAIT_MS", "ALLOW_REMOTE", "CONCURRENCY", "REQUESTS", "REPEATS", "PRECISION", "BUDGET", "LOADGEN",
    "SEED",
)  # fmt: skip


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
    target: Target = Target()

    @classmethod
    def adjusted(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return changes with their consequences: the wait of a server that already runs is what its user says."""
        if not changes.get("target", {}).get("url"):
            return changes
        for each in options.settings(cls):
            if each.variable not in OF_A_RUNNING_SERVER and _lookup(changes, each.path) is not None:
                raise UsageError(
                    f"{each.variable}: the server of URL already runs, and the lab cannot change it or choose another:"
                    " leave it out"
                )
        wait = changes.get("server", {})
        others = {name: value for name, value in changes.items() if name != "server"}
        return {**others, "target": {**changes["target"], **wait}}

    @property
    def running(self) -> Target | None:
        """The server that it measures and that already runs; None: those of the lab."""
        return self.target if self.target.url else None

    @property
    def predictable(self) -> bool:
        """Whether theory has what it needs: of a server that already runs, its user must say workers and wait."""
        return self.running is None or bool(self.target.workers and self.target.wait_ms)

    def settings(self, variant: str = "") -> ServerSettings:
        """Return the servers' settings in a variant; those of a server that already runs are what its user says."""
        if self.running and self.target.wait_ms:
            return ServerSettings(wait_ms=self.target.wait_ms)
        return super().settings(variant)

    @model_validator(mode="after")
    def _a_running_server_is_as_it_is(self) -> Self:
        fields = type(self).model_fields
        usual = [name for name in ("models", "cpus", "vary") if getattr(self, name) != fields[name].default]
        usual += ["server"] if self.server != ServerSettings() else []
        usual += ["course"] if self.course else []
        if self.running and usual:
            raise ValueError(f"{usual[0]} is of servers that the lab starts: an experiment with a URL must not set it")
        return self

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


def _lookup(changes: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = changes
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
