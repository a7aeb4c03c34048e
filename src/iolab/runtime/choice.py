"""Chooses Docker or local processes, and says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iolab.errors import EngineMissing, UsageError
from iolab.experiment import Experiment, Target
from iolab.host import cores as cpus
from iolab.host import cpu, limits, programs
from iolab.host.cores import CpuPlan
from iolab.lab import Lab, Model
from iolab.results.run_info import RuntimeName
from iolab.runtime.compose import BUILDING, find_engine
from iolab.runtime.local import LocalRuntime
from iolab.runtime.running import RunningRuntime

if TYPE_CHECKING:
    from iolab.runtime.docker import DockerRuntime

Wanted = Literal["auto", "docker", "local"]
Generator = Literal["hey", "locust"]


@dataclass(frozen=True)
class Place:
    """Where a benchmark runs, why there, the load generator, and the cores for each CPU limit."""

    runtime: "DockerRuntime | LocalRuntime"
    reason: str
    generator: Generator
    plans: Mapping[float, CpuPlan]


def choose(
    wanted: Wanted | RuntimeName,
    lab: Lab,
    models: Sequence[Model],
    experiment: Experiment,
    say: Callable[[str], None],
    *,
    host: str | None = None,
) -> Place:
    """Return the place to run `experiment` in; for Docker, this builds the images.

    Servers can be reached from this machine only, or at `host`, an address by which other machines reach it.
    Raises UsageError, before anything is started, if the wanted runtime is not available or a limit cannot be met.
    """
    if target := experiment.running:
        if wanted not in ("auto", "url"):
            raise UsageError(f"RUNTIME={wanted}: the server of URL already runs, and is not started: leave RUNTIME out")
        return _running(lab, target, experiment, models)
    reason = "requested by RUNTIME=local"
    if wanted != "local":
        try:
            return _docker(lab, models, experiment, say, host)
        except EngineMissing as missing:
            if wanted == "docker":
                raise
            reason = missing.why
    local = LocalRuntime(lab, host)
    threads, quota = cpu.siblings(), limits.cpu_quota()
    plans = {limit: cpus.plan(limit, cpus.available(), threads, quota) for limit in experiment.cpus}
    for limit in experiment.cpus:
        if limit != int(limit):
            raise UsageError(f"CPUS={limit:g}: a fraction of a CPU needs Docker ({reason}); give a whole number")
    local.check(models)
    return Place(local, reason, generator_name(experiment.generator, "local"), plans)


def _running(lab: Lab, target: Target, experiment: Experiment, models: Sequence[Model]) -> Place:
    runtime = RunningRuntime(lab, target)
    generator = generator_name(experiment.generator, "local")
    runtime.check(models)
    where = "on this machine" if runtime.is_of_this_machine() else "on another machine, as ALLOW_REMOTE=1 allows"
    return Place(runtime, f"URL={target.url}, {where}", generator, runtime.plans(experiment.cpus[0]))


def _docker(
    lab: Lab, models: Sequence[Model], experiment: Experiment, say: Callable[[str], None], host: str | None
) -> Place:
    from iolab.runtime.docker import DockerRuntime  # noqa: PLC0415 (Docker's client: 0.2 s, for Docker alone)

    engine = find_engine()
    plans = {limit: cpus.plan(limit, range(engine.cores), cpu.siblings()) for limit in experiment.cpus}
    runtime = DockerRuntime(lab, engine, experiment.variables(), host)
    say(BUILDING)
    stale = runtime.build(models, downstream=any(experiment.downstreams))
    reason = f"Engine {engine.version}, Compose {engine.compose}"
    if stale:
        reason += f"; older images are used, because {stale}"
    return Place(runtime, reason, generator_name(experiment.generator, "docker"), plans)


def generator_name(wanted: Literal["auto", "hey", "locust"], runtime: str) -> Generator:
    """Return the load generator to use: hey if it is available, as it always is in the load image, else Locust.

    Raises UsageError if hey is wanted and not available.
    """
    path, genuine = programs.hey() if runtime == "local" else ("", True)
    if wanted == "hey" and not genuine:
        why = f"{path} is another program of that name" if path else "hey is not on PATH"
        raise UsageError(f"LOADGEN=hey: {why}; install it (apt install hey, brew install hey), or use LOADGEN=locust")
    return "hey" if genuine and wanted != "locust" else "locust"
