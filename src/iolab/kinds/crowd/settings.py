"""The settings of a crowd."""

from typing import Literal

from iolab.chat.settings import Crowd
from iolab.experiment import Experiment, OneLimit, Seed, Settings, Threads


class Pool(Settings):
    """The thread pool of the servers that have one."""

    threads: Threads = 8


class CrowdExperiment(Experiment):
    """Levels of users that stay on one chat server after the other."""

    kind: Literal["crowd"]
    cpus: OneLimit = (1.0,)
    seed: Seed = 0
    server: Pool = Pool()
    crowd: Crowd

    def variables(self) -> dict[str, str]:
        """Return the environment variables of docker-compose.yml and the servers that it sets."""
        return {"THREADS": str(self.server.threads)}
