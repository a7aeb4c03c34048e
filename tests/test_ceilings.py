"""The ceiling of a load generator, on a null server and a generator that are made up."""

from dataclasses import dataclass, field

import pytest

from iolab.errors import LoadFailed
from iolab.generator_ceilings import A_USER, LEAST_REQUESTS, GeneratorCeilings
from iolab.host import cores
from iolab.loadgen import Job, Load
from iolab.results.samples import Sample
from tests.fakes import NULL_URL, FakeRuntime

ONE, OTHER = cores.plan(1, range(4)), cores.plan(2, range(4))


@dataclass
class Generator:
    """Answers 1,000 requests a second; of these, `failed` are not answered with status 200."""

    failed: int = 0
    stopped: str = ""
    jobs: list[Job] = field(default_factory=list)
    name = "hey"
    driver_script = "fake"

    def run(self, job: Job) -> Load:
        self.jobs.append(job)
        if self.stopped == "no answer":
            raise LoadFailed("hey ended with status 1")
        statuses = [500] * self.failed + [200] * (job.requests - self.failed)
        samples = [Sample(number * 0.001, 0.001, status) for number, status in enumerate(statuses)]
        return Load(samples, 0.1, self.stopped)


def rate(generator: Generator, users: int = 4) -> float | None:
    with GeneratorCeilings(FakeRuntime(("127.0.0.1", 1))) as ceilings:
        return ceilings.rate(generator, ONE, users)  # type: ignore[arg-type]


def test_it_is_the_rate_of_answers_with_status_200() -> None:
    assert rate(Generator()) == pytest.approx(1000)
    assert rate(Generator(failed=250)) == pytest.approx(750)


@pytest.mark.parametrize("why", ["it was stopped", "no answer"])
def test_it_is_not_known_from_a_load_that_did_not_end(why: str) -> None:
    assert rate(Generator(stopped=why)) is None


def test_it_is_not_known_where_nothing_was_answered() -> None:
    assert rate(Generator(failed=LEAST_REQUESTS)) is None


@pytest.mark.parametrize(("users", "requests"), [(1, 1000), (4, 1000), (3, 1002), (64, 64 * A_USER)])
def test_its_load_is_long_enough_and_shared_by_all_users(users: int, requests: int) -> None:
    generator = Generator()
    rate(generator, users)
    assert [(job.url, job.users, job.requests) for job in generator.jobs] == [(NULL_URL, users, requests)]


def test_each_is_measured_once_and_cores_share_a_null_server() -> None:
    runtime, generator = FakeRuntime(("127.0.0.1", 1)), Generator()
    with GeneratorCeilings(runtime) as ceilings:
        for plan, users in ((ONE, 4), (ONE, 16), (ONE, 4), (OTHER, 4), (OTHER, 4)):
            assert ceilings.rate(generator, plan, users)  # type: ignore[arg-type]
    assert [job.users for job in generator.jobs] == [4, 16, 4]
    assert runtime.log == ["null server for 1", "null server for 2"]


def test_one_that_could_not_be_measured_is_not_tried_again() -> None:
    generator = Generator(stopped="no answer")
    with GeneratorCeilings(FakeRuntime(("127.0.0.1", 1))) as ceilings:
        assert [ceilings.rate(generator, ONE, 4) for _ in range(3)] == [None] * 3  # type: ignore[arg-type]
    assert len(generator.jobs) == 1
