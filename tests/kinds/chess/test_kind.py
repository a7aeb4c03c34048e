"""The life of a run of `iolab chess`, on servers that are made up."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from iolab import planning
from iolab.errors import LoadFailed, UsageError
from iolab.host.signals import Interrupted
from iolab.kinds.chess import run as chess
from iolab.kinds.chess.records import ChessRecord
from iolab.lab import Lab
from iolab.results.records import MachineUsage
from iolab.results.samples import Pair
from tests.kinds.worlds import World
from tests.rendered import figures

BOARDS, MOVES = 3, 2
SHORT = {"models": ["A", "B", "C"], "concurrency": [BOARDS], "chess": {"moves": MOVES}}


class Games:
    """Takes the place of the boards: `events` are raised instead of exhibitions, by their number."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.events: dict[int, BaseException] = {}
        self.played = self.opened = 0
        self.cpu_s: float | None = 0.1

    def play(self, url: str, boards: int, moves: int, answer_limit_s: float, timeout_s: float) -> tuple[Pair, ...]:
        if moves < MOVES:
            return ()  # a warm-up
        self._world.look()
        self.played += 1
        if event := self.events.get(self.played - 1):
            raise event
        return tuple(
            Pair(board, move, 0.06 * move, 0.06 * (move + 1), 0.06, 200)
            for move in range(moves)
            for board in range(boards)
        )


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    return World(lab, tmp_path, "chess", ("127.0.0.1", 1), **SHORT)


@pytest.fixture
def games(world: World, monkeypatch: pytest.MonkeyPatch) -> Games:
    made_up = Games(world)

    @contextmanager
    def running_generator(*_: object) -> Iterator[Games]:
        made_up.opened += 1
        yield made_up

    monkeypatch.setattr(chess, "running_generator", running_generator)
    return made_up


def test_each_server_is_a_trial_that_is_on_disk_as_it_ends(world: World, games: Games) -> None:
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    assert outcome.folder.read_run().generator == "boards"
    assert world.on_disk == [0, 1, 2]
    assert games.opened == 1  # the driver stays
    records = outcome.folder.read_trials(ChessRecord)
    assert [(each.index, each.model) for each in records] == [(0, "A"), (1, "B"), (2, "C")]
    for each in records:
        pairs = outcome.folder.read_rows(each.rows, "pairs", Pair)
        assert {(pair.board, pair.move) for pair in pairs} == {(b, m) for b in range(BOARDS) for m in range(MOVES)}
        assert each.server.threads_peak
    assert world.watcher.lines[0].text.split() == ["A", "blocking", "6", "pairs", "of", "moves", "in", "0.12", "s"]


def test_the_driver_is_one_process_and_judged_by_the_time_of_one_core(
    world: World, games: Games, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watch:
        def usage(self) -> MachineUsage:
            return MachineUsage(span_s=10.0)

    monkeypatch.setattr(chess, "watching", lambda: nullcontext(Watch()))
    games.cpu_s = 9.4
    clients = [record.client for record in world.trials(world.measure().folder)]
    assert [(client.cpu_s, client.busiest_share) for client in clients] == [(9.4, 0.94)] * 3
    games.cpu_s = None
    clients = [record.client for record in world.trials(world.measure().folder)]
    assert [(client.cpu_s, client.busiest_share) for client in clients] == [(None, None)] * 3


def test_reports_are_made_of_what_is_on_disk(world: World, games: Games) -> None:
    summary, texts = world.report(world.measure().folder)
    assert (summary["schema"], summary["kind"], summary["status"]) == (2, "chess", "complete")
    blocking, _, loop = summary["cells"]
    assert (blocking["boards_at_once"], loop["boards_at_once"]) == (1, BOARDS)
    assert (blocking["least_s"], blocking["took_s"], loop["took_s"]) == (BOARDS * MOVES * 60, 120.0, 120.0)
    assert loop["thought_in_step"] == BOARDS
    for text in texts.values():
        assert "This run" not in text
        assert "A Blocking" in text
    assert figures(texts["report.html"]) == 4  # the bars, and as it ends in the first minutes, a timeline each
    assert texts["terminal"].rstrip().endswith("report.html")


def test_an_interrupted_run_can_be_read_and_goes_on_with_what_is_missing(world: World, games: Games) -> None:
    games.events = {1: Interrupted(2)}
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert [record.index for record in world.trials(outcome.folder)] == [0]
    assert world.runtime.log[-1] == "close"
    assert world.runtime.log.count("stop B") == 1
    _, texts = world.report(outcome.folder)
    for text in texts.values():
        assert "This run was interrupted: it has 1 of 3 trials." in text
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert [record.index for record in world.trials(again.folder)] == [0, 1, 2]
    assert games.played == 4  # A, B until it was interrupted, B and C
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        planning.resumed(world.lab.root, again.folder.path, world.kind.settings)


def test_an_exhibition_that_fails_spoils_its_trial_alone_and_the_driver_starts_anew(world: World, games: Games) -> None:
    games.events = {0: LoadFailed("2 of 6 moves got no answer 200")}
    world.runtime.refuses = frozenset("B")
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    records = world.trials(outcome.folder)
    assert [record.reason for record in records] == ["2 of 6 moves got no answer 200", "B does not start", None]
    assert games.opened == 2
    summary, texts = world.report(outcome.folder)
    assert [cell["took_s"] for cell in summary["cells"]] == [None, None, 120.0]
    for text in texts.values():
        told = text.replace("</b>", "").replace("*", "")
        assert "error, A Blocking: this trial is not valid: 2 of 6 moves got no answer 200" in told
    assert figures(texts["report.html"]) == 2


def test_a_run_that_goes_on_plays_again_what_failed(world: World, games: Games) -> None:
    games.events = {0: LoadFailed("2 of 6 moves got no answer 200")}
    outcome = world.measure()
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.read_run().status, games.played) == (0, "complete", 4)
    assert [(record.index, record.valid) for record in world.trials(again.folder)] == [(0, True), (1, True), (2, True)]
    assert len((again.folder.path / "trials.jsonl").read_text().splitlines()) == 4


def test_rows_that_are_not_those_of_their_exhibition_are_damaged(world: World, games: Games) -> None:
    folder = world.measure().folder
    (folder.path / "samples" / "0001-pairs.csv.gz").unlink()
    folder.write_rows(1, pairs=[Pair(0, 0, 0.0, 0.06, 0.06, 200)])
    with pytest.raises(UsageError, match=r"0001-pairs\.csv\.gz has 1 rows, but trial 1 has 6 pairs: it is damaged"):
        world.report(folder)


def test_what_the_machine_did_is_a_finding_of_each_cell(world: World, games: Games) -> None:
    world.runtime.pinned = False
    summary, texts = world.report(world.measure().folder)
    assert ["not_pinned" in {each["id"] for each in cell["findings"]} for cell in summary["cells"]] == [True] * 3
    for text in texts.values():
        assert "every server: this platform cannot pin processes to cores" in text.replace("</b>", "").replace("*", "")
