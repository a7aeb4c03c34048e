"""The life of a run of `iolab freeze`, on a server that is made up."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.errors import LoadFailed, UsageError
from iolab.host.python import Python
from iolab.host.signals import Interrupted
from iolab.kinds import registry
from iolab.kinds.freeze import run as freeze
from iolab.kinds.freeze.records import FreezeRecord
from iolab.lab import Lab, Model
from iolab.loadgen.openloop import Arrivals, OpenLoad
from iolab.results.samples import OpenSample, Sample
from tests.kinds.worlds import World, wait_for_two_more

SHORT = {"freeze": {"after_s": 0.01, "for_s": 0.01, "run_s": 0.2}}


class Client:
    """Takes the place of the lab's client; `events` has what is raised instead of a load, by the name of its trial."""

    waited = 0
    freezes = True

    def __init__(self, world: World) -> None:
        self._world = world
        self.events: dict[str, BaseException] = {}
        self.loads: list[str] = []

    def closed(self, *_: Any) -> None:
        """A warm-up."""

    def closed_load(self, url: str, users: int, requests: int, answer_limit_s: float) -> OpenLoad:
        self._load("closed loop")
        return self._made((number // users * 0.02, 0.02) for number in range(requests))

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        self._load("planned")
        return self._made((number / plan.rate_rps, 0.021) for number in range(int(plan.rate_rps * plan.duration_s)))

    def _load(self, name: str) -> None:
        self._world.look()
        self.loads.append(name)
        if name in self.events:
            raise self.events[name]
        if self.freezes:
            wait_for_two_more(self._world.froze)

    def _made(self, requests: Iterable[tuple[float, float]]) -> OpenLoad:
        """Return a load of (planned, response time) that was sent 1 ms late."""
        samples = [OpenSample(at, at + 0.001, at + took, 200, None) for at, took in requests]
        return OpenLoad(samples, 0.2, waited=self.waited, most_open=7, read_late_s=[0.001])


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> Client:
    made_up = Client(world)

    @contextmanager
    def running_generator(*_: object) -> Iterator[Client]:
        yield made_up

    monkeypatch.setattr(freeze, "running_generator", running_generator)
    return made_up


@pytest.fixture
def world(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return World(lab, tmp_path, "freeze", ("127.0.0.1", 1), **SHORT | getattr(request, "param", {}))


def test_each_way_of_counting_is_a_trial_that_is_on_disk_as_it_ends(world: World, client: Client) -> None:
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    assert world.on_disk == [0, 1]
    assert client.loads == ["closed loop", "planned"]
    assert outcome.folder.read_run().generator == "iolab"
    assert "open generator" not in world.runtime.log  # both are sent by the lab's own client
    records = outcome.folder.read_trials(FreezeRecord)
    assert [each.name for each in records] == ["closed loop", "planned"]
    rows = [outcome.folder.read_rows(each.rows, "requests", Sample) for each in records]
    assert [len(each) for each in rows] == [40, 36]
    assert {round(sample.latency_s or 0, 6) for sample in rows[0]} == {0.019}  # from when it was sent
    assert {round(sample.latency_s or 0, 6) for sample in rows[1]} == {0.021}  # from when it was to be sent
    assert [entry for entry in world.runtime.log if entry.endswith(" C")] == ["stop C", "stop C"]
    assert "40 requests" in world.watcher.lines[0].text


def test_what_limited_the_client_is_a_finding_here_too(world: World, client: Client) -> None:
    client.waited = 12
    folder = world.measure().folder
    closed, other = folder.read_trials(FreezeRecord)
    assert (other.client.waited, other.client.most_open, other.client.loop_late_p99_ms) == (12, 7, 1.0)
    assert closed.client.waited == 12
    cells = registry.kind("freeze").report(folder).cells
    for cell in cells:
        found = {each["id"] for each in cell["findings"]}
        assert found - {"not_checked"} == {"no_connection_left"}  # the made-up trial is too short to be looked at


def test_reports_are_made_of_what_is_on_disk(world: World, client: Client) -> None:
    outcome = world.measure()
    summary, texts = world.report(outcome.folder)
    assert {name: summary[name] for name in ("schema", "kind", "experiment", "runtime", "status")} == {
        "schema": 2,
        "kind": "freeze",
        "experiment": "freeze",
        "runtime": "local",
        "status": "complete",
    }
    closed, arrivals = summary["cells"]
    assert (closed["name"], closed["requests"], closed["p50"], closed["valid"]) == ("closed loop", 40, 19.0, True)
    assert (arrivals["name"], arrivals["requests"], arrivals["p50"]) == ("planned", 36, 21.0)
    assert "took longer than 100 ms is not more than 3 times that of the closed loop" in texts["terminal"]
    assert texts["terminal"].rstrip().endswith("report.html")
    for text in texts.values():
        assert "This run" not in text
        assert "hey" not in text


def test_an_interrupted_run_can_be_read_and_goes_on_with_what_is_missing(world: World, client: Client) -> None:
    client.events = {"planned": Interrupted(2)}
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert [record.index for record in world.trials(outcome.folder)] == [0]
    assert world.runtime.log[-1] == "close"
    assert world.runtime.log.count("start C 1") == world.runtime.log.count("stop C")
    _, texts = world.report(outcome.folder)
    for text in texts.values():
        assert "This run was interrupted: it has 1 of 2 trials." in text
    client.events = {}
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert [record.index for record in world.trials(again.folder)] == [0, 1]
    assert client.loads == ["closed loop", "planned", "planned"]
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        planning.resumed(world.lab.root, again.folder.path, world.kind.settings)


def test_a_standstill_that_did_not_happen_spoils_its_trial(world: World, client: Client) -> None:
    client.freezes = False
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    records = world.trials(outcome.folder)
    assert [record.valid for record in records] == [False, False]
    assert records[0].reason == "the load ended before the server was frozen for 0.01 s"
    assert len(outcome.folder.read_rows(records[0].rows, "requests", Sample)) == 40  # they stay, and count for nothing
    summary, texts = world.report(outcome.folder)
    assert [cell["valid"] for cell in summary["cells"]] == [False, False]
    for text in texts.values():
        assert "This run failed: it has 2 of 2 trials" in text
        assert "every trial: this trial is not valid: the load ended before" in text.replace("</b>", "").replace(
            "*", ""
        )


def test_a_load_that_fails_is_a_reason_of_its_trial_alone(world: World, client: Client) -> None:
    client.events = {"closed loop": LoadFailed("the load driver has ended")}
    outcome = world.measure()
    assert [record.reason for record in world.trials(outcome.folder)] == ["the load driver has ended", None]
    assert world.runtime.log.count("stop C") == 2


def test_a_run_that_goes_on_measures_again_what_failed(world: World, client: Client) -> None:
    client.events = {"closed loop": LoadFailed("the load driver has ended")}
    outcome = world.measure()
    client.events = {}
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    assert [(record.index, record.valid) for record in world.trials(again.folder)] == [(0, True), (1, True)]


@pytest.mark.parametrize(("models", "said"), [(["all"], "MODELS=all"), (["A", "C"], "MODELS=A,C")])
def test_one_server_at_a_time_stands_still(lab: Lab, tmp_path: Path, models: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}: one server at a time can be frozen: name one$"):
        World(lab, tmp_path, "freeze", ("127.0.0.1", 1), models=models).plan()


def test_what_the_machine_did_is_a_finding_of_each_cell(world: World, client: Client) -> None:
    world.runtime.pinned = False
    summary, texts = world.report(world.measure().folder)
    assert ["not_pinned" in {each["id"] for each in cell["findings"]} for cell in summary["cells"]] == [True] * 2
    for text in texts.values():
        assert "every trial: this platform cannot pin processes to cores" in text.replace("</b>", "").replace("*", "")


COMPUTES = {"server": {"wait_ms": 1, "cpu_ms": 5}, "concurrency": [8]}


@pytest.mark.parametrize(
    ("world", "counts"), [(COMPUTES, [40, 36]), (COMPUTES | {"cpus": [0.25]}, [16, 9])], indirect=["world"]
)
def test_no_more_requests_are_planned_than_the_cpu_limit_allows(
    world: World, client: Client, counts: list[int]
) -> None:
    """5 ms of computing on a quarter of a CPU: 50 requests a second, not 200."""
    folder = world.measure().folder
    found = [folder.read_rows(each.rows, "requests", Sample) for each in world.trials(folder)]
    assert [len(each) for each in found] == counts


@pytest.mark.parametrize(
    ("gil", "world", "counts"),
    [
        (True, COMPUTES | {"models": ["B"], "cpus": [2.0]}, [40, 36]),
        (False, COMPUTES | {"models": ["B"], "cpus": [2.0]}, [80, 72]),  # a free-threaded build computes on both CPUs
        (True, COMPUTES | {"models": ["E"], "cpus": [2.0]}, [80, 72]),  # so do processes
    ],
    indirect=["world"],
)
def test_requests_are_planned_for_as_many_cores_as_the_server_computes_on(
    world: World, client: Client, gil: bool, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pythons(models: Sequence[Model]) -> dict[str, Python]:
        return {model.name: Python("3.14.0 (main) [GCC 14.2.0]", gil) for model in models}

    monkeypatch.setattr(world.runtime, "pythons", pythons)
    folder = world.measure().folder
    found = [folder.read_rows(each.rows, "requests", Sample) for each in world.trials(folder)]
    assert [len(each) for each in found] == counts


@pytest.mark.parametrize(
    ("world", "counts"),
    [
        ({"models": ["E"], "server": {"wait_ms": 20, "reuseport": False}, "concurrency": [8]}, [80, 72]),
        ({"models": ["E"], "server": {"wait_ms": 20, "reuseport": True}, "concurrency": [8]}, [48, 38]),
    ],
    indirect=["world"],
)
def test_workers_with_accept_queues_of_their_own_serve_less(world: World, client: Client, counts: list[int]) -> None:
    """8 users at random among 8 workers: 8 x 50 x 8 / 15 = 213 requests a second, not 400."""
    folder = world.measure().folder
    found = [folder.read_rows(each.rows, "requests", Sample) for each in world.trials(folder)]
    assert [len(each) for each in found] == counts
