"""What a page may set of the live view, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from iolab.errors import UsageError

LIVE_VIEW = "the live view"  # as what it holds the lock of the benchmarks
RANGES: Mapping[str, tuple[float, float]] = {
    "users": (1, 64),
    "rate_rps": (0.1, 64),
    "wait_ms": (20, 3000),
    "cpu_ms": (0, 1000),
    "threads": (1, 64),
    "processes": (1, 64),
    "backlog": (0, 4096),
}
WHOLE = frozenset({"users", "threads", "processes", "backlog"})
OF_SERVERS = (
    "wait_ms",
    "cpu_ms",
    "threads",
    "backlog",
    "processes",
    "reuseport",
)  # a change of these needs new servers


@dataclass(frozen=True)
class Settings:
    """The load, which is the same for all lanes, and what the servers do; `backlog` None is the server's own."""

    models: tuple[str, ...] = ("A", "B", "C")
    loop: str = "closed"
    users: int = 8
    rate_rps: float = 4.0
    wait_ms: float = 1000.0
    cpu_ms: float = 0.0
    threads: int = 8
    backlog: int | None = 128
    processes: int = 8  # of model E
    reuseport: bool = False  # each of them has an accept queue of its own
    blocked: bool = False  # model C is the broken server, which blocks its event loop

    def changed(self, given: Mapping[str, Any], known: frozenset[str]) -> "Settings":
        """Return the settings with those of a page; `known` are the letters of models. Raises UsageError."""
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name == "models":
                values[name] = _models(value, known)
            elif name == "loop":
                if value not in ("closed", "open"):
                    raise UsageError(f"loop = {value!r}: must be closed or open")
                values[name] = value
            elif name in ("blocked", "reuseport"):
                values[name] = value is True
            elif name == "backlog" and value is None:
                values[name] = None
            elif name in RANGES:
                values[name] = _number(name, value)
            else:
                raise UsageError(f"{name}: the live view has no such setting")
        return replace(self, **values)

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the servers."""
        backlog = "" if self.backlog is None else str(self.backlog)
        return {
            "WAIT_MS": f"{self.wait_ms:g}",
            "CPU_MS": f"{self.cpu_ms:g}",
            "THREADS": str(self.threads),
            "BACKLOG": backlog,
            "WAIT_DISTRIBUTION": "constant",
            "PROCESSES": str(self.processes),
            "REUSEPORT": str(int(self.reuseport)),
            "DOWNSTREAM": "0",
        }

    def needs_new_servers(self, before: "Settings") -> bool:
        """Return whether servers of `before` do something else than these settings say."""
        return any(getattr(self, name) != getattr(before, name) for name in OF_SERVERS)


def _models(value: object, known: frozenset[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each in known for each in value):
        raise UsageError(f"models: must be some of {', '.join(sorted(known))}")
    return tuple(sorted(set(value)))


def _number(name: str, value: object) -> float | int:
    low, high = RANGES[name]
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not low <= number <= high or (name in WHOLE and number != int(number)):
        kind = "whole number" if name in WHOLE else "number"
        raise UsageError(f"{name} = {str(value)[:40]}: must be a {kind} from {low:g} to {high:g}")
    return int(number) if name in WHOLE else float(number)
