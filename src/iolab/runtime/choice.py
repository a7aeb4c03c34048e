"""Docker or local processes? Says which, and why."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iolab.errors import EngineMissing, UsageError
from iolab.experiment import Experiment
from iolab.host import cores as cpus
from iolab.host.cores import CpuPlan
from iolab.lab import Lab, Model
from iolab.runtime.compose import BUILDING, find_engine
from iolab.runtime.local import LocalRuntime

if TYPE_CHECKING:
    from iolab.runtime.docker import DockerRuntime

Wanted = Literal["auto", "docker", "local"]
Generator = Literal["hey", "locust"]


@dataclass(frozen=True)
class Place:
    """Where a benchmark runs, why there, what makes the load, and which cores each CPU limit takes."""

    runtime: "DockerRuntime | LocalRuntime"
    reason: str
    generator: Generator
    plans: Mapping[float, CpuPlan]


def choose(
    wanted: Wanted,
    lab: Lab,
    models: Sequence[Model],
    experiment: Experiment,
    say: Callable[[str], None],
    *,
    host: str | None = None,
) -> Place:
    """Return the place to run `experiment` in; where it is Docker, its images are up to date then.

    Servers can be reached from this machine alone, or at `host`, an address of it that others know.
    Raises UsageError where what is wanted cannot be had, or a limit cannot be met, before anything is started.
    """
    reason = "asked for with RUNTIME=local"
    if wanted != "local":
        try:
            return _docker(lab, models, experiment, say, host)
        except EngineMissing as missing:
            if wanted == "docker":
                raise
            reason = missing.why
    local = LocalRuntime(lab, host)
    plans = {limit: cpus.plan(limit, cpus.available()) for limit in experiment.cpus}
    for limit in experiment.cpus:
        if limit != int(limit):
            raise UsageError(f"CPUS={limit:g}: a fraction of a CPU needs Docker ({reason}); give a whole number")
    local.check(models)
    return Place(local, reason, generator_name(experiment.generator, "local"), plans)


def _docker(
    lab: Lab, models: Sequence[Model], experiment: Experiment, say: Callable[[str], None], host: str | None
) -> Place:
    from iolab.runtime.docker import DockerRuntime  # noqa: PLC0415 (Docker's client: 0.2 s, for Docker alone)

    engine = find_engine()
    plans = {limit: cpus.plan(limit, range(engine.cores)) for limit in experiment.cpus}
    runtime = DockerRuntime(lab, engine, experiment.variables(), host)
    say(BUILDING)
    stale = runtime.build(models)
    reason = f"Engine {engine.version} and Compose {engine.compose} are there"
    if stale:
        reason += f"; images are as they were built before, for {stale}"
    return Place(runtime, reason, generator_name(experiment.generator, "docker"), plans)


def generator_name(wanted: Literal["auto", "hey", "locust"], runtime: str) -> Generator:
    """Return the load generator to use: hey where it is at hand, as it always is in the load image, else Locust.

    Raises UsageError where hey is asked for and not there.
    """
    at_hand = runtime == "docker" or shutil.which("hey") is not None
    if wanted == "hey" and not at_hand:
        raise UsageError(
            "LOADGEN=hey: hey is not on PATH; install it (apt install hey, brew install hey), or use LOADGEN=locust"
        )
    return "hey" if at_hand and wanted != "locust" else "locust"
