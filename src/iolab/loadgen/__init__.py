"""Load generators: hey or Locust, behind one small protocol. Each runs in a long-running driver of loadtest/."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from iolab.errors import LoadFailed
from iolab.results.records import ClientUsage
from iolab.results.samples import Sample


@dataclass(frozen=True)
class Load:
    """The result of one load: a sample for each request, answered or not, and the generator's own CPU seconds.

    `busiest_share` is the share of one core's time that its busiest process used, if each of its processes uses one
    core; None if that is not known, or if the generator's threads use all cores, as those of hey do.
    """

    samples: Sequence[Sample]
    cpu_s: float | None
    stopped: str = ""  # why it ended before all requests were sent
    syn_retransmits: int | None = None  # connection attempts that were sent again; None: not known
    timeouts: int | None = None  # retransmission timers that expired, of attempts and connections; None: not known
    busiest_share: float | None = None

    @property
    def usage(self) -> ClientUsage:
        """What it took of the load generator."""
        return ClientUsage(
            cpu_s=self.cpu_s,
            syn_retransmits=self.syn_retransmits,
            timeouts=self.timeouts,
            busiest_share=self.busiest_share,
        )

    @property
    def ok(self) -> int:
        """How many requests were answered 200."""
        return sum(sample.status == 200 for sample in self.samples)

    def check_complete(self, requests: int) -> None:
        """Raise LoadFailed unless all `requests` were sent and answered 200."""
        if self.stopped:
            raise LoadFailed(f"{self.stopped}, with {self.ok} of {requests} requests answered")
        if self.ok < len(self.samples):
            raise LoadFailed(f"{len(self.samples) - self.ok} of {len(self.samples)} requests got no answer 200")


@dataclass(frozen=True)
class Job:
    """A closed loop to run: `requests` is a multiple of `users`; an answer after `answer_limit_s` does not count.

    Redirects are not followed: they could lead to a server that must not be loaded.
    """

    url: str
    users: int
    requests: int
    answer_limit_s: float
    timeout_s: float


class LoadGenerator(Protocol):
    """A closed loop: `users` users, each of which sends its next request when it has its answer."""

    name: Literal["hey", "locust"]
    driver_script: str

    def run(self, job: Job) -> Load:
        """Run it; raises LoadFailed if the generator fails. At the time limit it is stopped; samples are kept."""
