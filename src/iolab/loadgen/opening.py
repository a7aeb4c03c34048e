"""Opens the load generator that was chosen, in the runtime that was chosen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from iolab.cpus import CpuPlan
from iolab.loadgen import LoadGenerator, driver
from iolab.loadgen.hey import Hey
from iolab.loadgen.locust import Locust
from iolab.runtime import Runtime

GENERATORS: dict[Literal["hey", "locust"], type[Hey] | type[Locust]] = {"hey": Hey, "locust": Locust}


def opener(name: Literal["hey", "locust"]) -> Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]:
    """Return what starts that generator's driver on a plan's cores, and stops it at the end."""
    generator = GENERATORS[name]

    @contextmanager
    def opened(runtime: Runtime, plan: CpuPlan) -> Iterator[LoadGenerator]:
        with runtime.driver(generator.driver_script, plan) as command, driver.start(command) as started:
            yield generator(started)

    return opened
