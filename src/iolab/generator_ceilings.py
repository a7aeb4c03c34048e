"""The ceiling of a load generator: how many requests a second it reaches against a server that does nothing."""

from contextlib import suppress
from typing import Final

from iolab.context_cache import ContextCache
from iolab.errors import TrialFailed
from iolab.host.cores import CpuPlan
from iolab.loadgen import Job, LoadGenerator
from iolab.runtime import Runtime
from iolab.theory.littles_law import span_s

Cores = tuple[tuple[int, ...], tuple[int, ...]]

LEAST_REQUESTS: Final = 1000
A_USER: Final = 50  # requests: the ramps at both ends then weigh little
LIMIT_S: Final = 30.0


class GeneratorCeilings:
    """Measures each (cores, number of users) once, when first needed; the null server runs until the end."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._servers = ContextCache[Cores, str]()
        self._known: dict[tuple[Cores, int], float | None] = {}

    def __enter__(self) -> "GeneratorCeilings":
        return self

    def __exit__(self, *exception: object) -> None:
        self._servers.__exit__(*exception)

    def rate(self, generator: LoadGenerator, plan: CpuPlan, users: int) -> float | None:
        """Return requests a second with `users` users, or None if that could not be measured.

        A failure here must not make a trial fail: if the generator is broken, the trial reports it.
        """
        cores = (plan.server, plan.loadgen)
        key = (cores, users)
        if key not in self._known:
            self._known[key] = None
            with suppress(TrialFailed):
                url = self._servers.get(cores, lambda: self._runtime.null_server(plan))
                requests = users * max(A_USER, -(-LEAST_REQUESTS // users))
                load = generator.run(Job(url, users, requests, answer_limit_s=LIMIT_S, timeout_s=LIMIT_S))
                if load.ok and not load.stopped and (seconds := span_s(load.samples)) > 0:
                    self._known[key] = round(load.ok / seconds, 1)
        return self._known[key]
