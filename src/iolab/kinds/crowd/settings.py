"""The settings of a crowd."""

from typing import Annotated, Literal

from pydantic import Field

from iolab.chat.settings import Crowd
from iolab.experiment import Experiment, OneLimit, Settings


class Pool(Settings):
    """The thread pool of the servers that have one."""

    threads: Annotated[int, Field(ge=1, le=1000)] = 8


class CrowdExperiment(Experiment):
    """Levels of users that stay on one chat server after the other."""

    kind: Literal["crowd"]
    cpus: OneLimit = (1.0,)
    server: Pool = Pool()
    crowd: Crowd

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {"THREADS": str(self.server.threads)}
