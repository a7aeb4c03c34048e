"""Opens the load generator that was chosen, in the runtime that was chosen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, TypeVar

from iolab.host.cores import CpuPlan
from iolab.loadgen import LoadGenerator, driver
from iolab.loadgen.hey import Hey
from iolab.loadgen.locust import Locust
from iolab.runtime import Runtime

Generator = TypeVar("Generator")
GENERATORS: dict[Literal["hey", "locust"], type[Hey] | type[Locust]] = {"hey": Hey, "locust": Locust}


def start_generator(
    name: Literal["hey", "locust"],
) -> Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]:
    """Return what starts that generator's driver on a plan's cores, and stops it at the end."""

    def opened(runtime: Runtime, plan: CpuPlan) -> AbstractContextManager[LoadGenerator]:
        return opening(GENERATORS[name], GENERATORS[name].driver_script, runtime, plan)

    return opened


@contextmanager
def opening(
    generator: Callable[[driver.Driver], Generator], script: str, runtime: Runtime, plan: CpuPlan
) -> Iterator[Generator]:
    """Start a driver of loadtest/ on the plan's cores, yield the generator at its other end, and stop it."""
    with runtime.driver(script, plan) as command, driver.start(command) as started:
        yield generator(started)
