"""Starts load generators, each a long-running driver of loadtest/, in the chosen runtime."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TypeVar

from iolab.host.cores import CpuPlan
from iolab.loadgen import LoadGenerator, driver
from iolab.loadgen.hey import Hey
from iolab.loadgen.locust import Locust
from iolab.runtime import Master, Runtime


class Driven(Protocol):
    """A load generator with a driver of its own: the script of that name in loadtest/."""

    driver_script: str

    def __init__(self, driver: driver.Driver) -> None: ...


Generator = TypeVar("Generator", bound=Driven)
GENERATORS: dict[Literal["hey", "locust"], type[Hey] | type[Locust]] = {"hey": Hey, "locust": Locust}


def start_generator(
    name: Literal["hey", "locust"],
) -> Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]:
    """Return a function that starts that generator's driver on a plan's cores, and stops it at the end."""

    def start(runtime: Runtime, plan: CpuPlan) -> AbstractContextManager[LoadGenerator]:
        return running_generator(GENERATORS[name], runtime, plan)

    return start


@contextmanager
def running_generator(
    generator: type[Generator], runtime: Runtime, plan: CpuPlan, master: Master | None = None
) -> Iterator[Generator]:
    """Start a generator's driver on the plan's cores, yield the generator, and stop it at the end."""
    with runtime.driver(generator.driver_script, plan, master) as command, driver.start(command) as process:
        yield generator(process)
