"""The settings of the search for the highest rate."""

from typing import Literal

from iolab.experiment import Experiment, OneLimit, ServerSettings
from iolab.kinds.slo.plan import Objective
from iolab.loadgen.workers import ALONE, Senders


class SloExperiment(Experiment):
    """The objective, such as p99<100ms, of each model."""

    kind: Literal["slo"]
    cpus: OneLimit = (1.0,)
    server: ServerSettings = ServerSettings()
    objective: str = "p99<100ms"
    load: Senders = ALONE

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return self.server.variables()

    @property
    def host(self) -> str | None:
        """The address by which other machines reach the servers; None where none is to. Raises UsageError."""
        return self.load.address

    @property
    def wanted(self) -> Objective:
        """The objective; raises UsageError where it is none."""
        return Objective.parse(self.objective)
