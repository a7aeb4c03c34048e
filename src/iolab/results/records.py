"""What every trial records, and what was used during it; validated when it is read. run_info.py has run.json."""

import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LARGEST = 10**18  # of bytes, nanoseconds, anything


class Record(BaseModel):
    """Base of all records; unknown keys are refused when a record is read.

    `parts` are counts, and the counts (of the record, else of its trial) that they cannot exceed: see possible.py.
    """

    parts: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        """Refuse a value that is not a number, or so large that sums overflow; infinite: it never ended."""
        for name, value in self.__dict__.items():
            if isinstance(value, float) and math.isnan(value):
                raise ValueError(f"{name} is not a number")
            if isinstance(value, int | float) and LARGEST < abs(value) < math.inf:
                raise ValueError(f"{name} is above {LARGEST:g}: nothing measured is")
        return self


class ServerUsage(Record):
    """What the server used during the load; None is what could not be measured there.

    `listen_overflows` and `listen_drops` are packets that its accept queue dropped, `syn_cookies` are SYN cookies sent,
    of them `full_queue_cookies` because the queue of attempts was full.
    """

    cpu_s: float | None = None
    throttled_s: float | None = None
    threads_peak: int | None = None
    rss_peak_bytes: int | None = None
    listen_overflows: int | None = None
    listen_drops: int | None = None
    syn_cookies: int | None = None
    full_queue_cookies: int | None = None


class ClientUsage(Record):
    """The load generator's CPU time during the load, and its ceiling: the most it reaches against a null server.

    `syn_retransmits` counts connection attempts that were sent again for lack of an answer (TCPSynRetrans), `timeouts`
    the retransmission timers that expired, of attempts and of connections (TCPTimeouts). `busiest_share` is the share
    of one core's time that its busiest process used, if each of them uses one core. Of the client for planned arrivals:
    `loop_late_p99_ms` is the 99th percentile of how long an answer can have waited until the client read it, `resent`
    counts requests that were sent again because the server had closed an idle connection, and `waited` arrivals that
    waited in the client because `most_open` connections were open.
    """

    cpu_s: float | None = None
    ceiling_rps: float | None = None
    syn_retransmits: int | None = None
    timeouts: int | None = None
    busiest_share: float | None = None
    loop_late_p99_ms: float | None = None
    resent: int | None = None
    waited: int | None = None
    most_open: int | None = None


class CoreUsage(Record):
    """One core during the load: computed by programs (without interrupts), stolen, and how often heat slowed it.

    `slowed` is None where the processor does not count it.
    """

    core: int
    busy_s: float
    steal_s: float
    slowed: int | None = None


class MachineUsage(Record):
    """The whole machine during the load; None was not measured.

    `busy_s` is the CPU time of all cores and programs, `own_s` that of iolab itself; `steal_s` is CPU time that the
    hypervisor stole; `clock_step_s` is how far the wall clock was set; `slowed` counts how often heat slowed a core.
    `by_core` has each core. `group_quota` is for how many CPUs the lab's own control groups give time (None: no quota,
    or not known), `group_throttled_s` for how long they were throttled.
    """

    cores: int | None = None
    span_s: float | None = None
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None
    clock_step_s: float | None = None
    slowed: int | None = None
    by_core: tuple[CoreUsage, ...] | None = None
    group_quota: float | None = None
    group_throttled_s: float | None = None


class Holding(Record):
    """Resources of a server and of the kernel at one time; None could not be read.

    `rss_bytes`, `virtual_bytes`, `threads` and `context_switches` (since their start) are of all its processes.
    `sockets_bytes` (TCP buffers), `slab_bytes`, `stacks_bytes` (kernel stacks) and `tables_bytes` (page tables) are
    those of the whole machine, so they include both ends of each connection. `collector_pause_s` is the longest pause
    for Python's garbage collector so far, if the server reports it.
    """

    cpu_s: float | None = None
    rss_bytes: int | None = None
    virtual_bytes: int | None = None
    threads: int | None = None
    context_switches: int | None = None
    sockets_bytes: int | None = None
    slab_bytes: int | None = None
    stacks_bytes: int | None = None
    tables_bytes: int | None = None
    collector_pause_s: float | None = None


class TrialRecord(Record):
    """The fields of every line of trials.jsonl; `reason` says why a trial is not `valid`.

    `rows` are the files of the run folder with the trial's rows, by their kind.
    """

    index: int
    repeat: int = 0
    started: datetime
    duration_s: float
    valid: bool
    reason: str | None
    rows: dict[str, str] = {}
    server: ServerUsage = ServerUsage()
    client: ClientUsage = ClientUsage()
    machine: MachineUsage = MachineUsage()


class LoadRecord(TrialRecord):
    """A trial that sends requests to one server: `requested` were planned, `sent` were sent, `ok` got status 200."""

    parts = MappingProxyType({"ok": "sent", "errors": "sent"})
    model: str
    service: str
    cpus: float
    variant: str = ""
    requested: int
    sent: int
    ok: int
    errors: int


class Finding(Record):
    """What a reader of a cell must know, and what to do about it; the higher `value` is, the worse it is.

    `expected` is what the experiment is made to show. `measured` is the message without what theory says, of a message
    that says it; a file does not have it.
    """

    id: str
    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str
    expected: bool = False
    value: float | None = None
    measured: str | None = Field(default=None, exclude=True)
