"""What trials use: the runtime, cores, and the servers and load generators that stay open between trials."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self

from iolab.context_cache import ContextCache
from iolab.generator_ceilings import GeneratorCeilings
from iolab.host.cores import CpuPlan
from iolab.lab import Lab, Model
from iolab.loadgen import LoadGenerator
from iolab.runtime import Runtime, Server

OpenGenerator = Callable[[Runtime, CpuPlan], AbstractContextManager[LoadGenerator]]
ServerKey = tuple[str, CpuPlan, str]


class Bench:
    """A context: all that trials opened is closed at its end, the runtime last."""

    def __init__(
        self,
        *,
        lab: Lab,
        runtime: Runtime,
        open_generator: OpenGenerator,
        models: Sequence[Model],
        plans: Mapping[float, CpuPlan],
        write_rows: Callable[..., dict[str, str]],
        read_rows: Callable[..., list[Any]],
        say: Callable[[str], None],
    ) -> None:
        self.lab, self.runtime, self.plans, self.say = lab, runtime, plans, say
        self.models = {model.letter: model for model in models}
        self.write_rows = (
            write_rows  # (index, kind=rows, ...): for rows that must be on disk before the trial has ended
        )
        self.read_rows = read_rows  # (the names that write_rows returned, kind, row's type): reads them from disk
        self._open_generator = open_generator
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.runtime)
            self.servers = stack.enter_context(ContextCache[ServerKey, Server]())
            self._generators = stack.enter_context(ContextCache[tuple[int, ...], LoadGenerator]())
            self._ceilings = stack.enter_context(GeneratorCeilings(self.runtime))
            self.others = stack.enter_context(ContextCache[str, Any]())  # other resources of a kind, by name
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def generator(self, plan: CpuPlan) -> LoadGenerator:
        """Return the closed-loop load generator on the plan's load cores; raises LoadFailed if it does not start."""
        return self._generators.get(plan.loadgen, lambda: self._open_generator(self.runtime, plan))

    def restart_generator(self, plan: CpuPlan) -> None:
        """Stop the load generator; the next trial starts a new one."""
        self._generators.discard(plan.loadgen)

    def ceiling_rps(self, plan: CpuPlan, users: int) -> float | None:
        """Return the most requests a second of that generator with `users` users; None if that is not known."""
        return self._ceilings.rate(self.generator(plan), plan, users)

    def server(self, model: Model, plan: CpuPlan, variant: str, variables: Mapping[str, str]) -> Server:
        """Return a model's server; a server of the same model with other settings is stopped first."""
        key = (model.letter, plan, variant)
        self.servers.discard(*(each for each in self.servers.opened() if each[0] == model.letter and each != key))
        return self.servers.get(key, lambda: self.runtime.serve(model, plan, variables))
