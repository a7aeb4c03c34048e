"""The analysis of crowds, on runs made of figures like those that were measured."""

import gzip
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iolab.chat.entries import Entry
from iolab.chat.times import Times
from iolab.errors import UsageError
from iolab.kinds.crowd import analysis as crowd_analysis
from iolab.kinds.crowd import words
from iolab.kinds.crowd.analysis import CrowdAnalysis, analyse
from iolab.kinds.crowd.cells import CrowdCell, cell
from iolab.kinds.crowd.records import Click
from iolab.results.folder import RunFolder
from iolab.results.records import Holding
from iolab.results.run_info import CpuPlanInfo
from iolab.theory.statistics import percentile
from tests import crowds, quiet
from tests.conftest import ROOT
from tests.rendered import summary

Level = Callable[..., CrowdCell]


@pytest.fixture
def level(tmp_path: Path) -> Level:
    """Make a run of one level, and work it out."""

    def made(kind: crowds.Kind = crowds.C, users: int = 1000, **changes: Any) -> CrowdCell:
        folder = crowds.folder(tmp_path)
        crowds.add(folder, kind, users, **changes)
        (found,) = analyse(folder).cells
        return found

    return made


def ids(found: CrowdCell) -> list[str]:
    return [finding.id for finding in found.findings]


def test_what_each_user_takes_is_what_was_put_in(level: Level) -> None:
    asyncio, threads = level(crowds.C), level(crowds.D)
    assert asyncio.server_bytes == pytest.approx(14.7 * 1024, rel=0.01)
    assert asyncio.kernel.total == pytest.approx(9.5 * 1024, rel=0.01)
    assert asyncio.idle_share == pytest.approx(0.00004, rel=0.01)
    assert asyncio.record.quiet.threads == 1
    assert threads.kernel.stacks == pytest.approx(16 * 1024, rel=0.01)
    assert threads.kernel.total == pytest.approx(29.5 * 1024, rel=0.01)
    assert threads.virtual_bytes == pytest.approx(8 * 2**20, rel=0.01)
    assert threads.record.quiet.threads == 1001
    assert asyncio.quiet_switches == 5
    assert asyncio.busy_switches == 200


def test_with_eight_users_a_process_says_nothing_of_one(level: Level) -> None:
    pool = level(crowds.B)
    assert (pool.record.held, pool.served, pool.few) == (8, 8, True)
    assert pool.server_bytes is None
    assert pool.virtual_bytes is None
    assert pool.kernel.total == pytest.approx(9.5 * 1024, rel=0.01)  # of all 1,000, whose connections the kernel has


def test_who_is_served_late_is_there_too_and_who_is_refused_is_not(level: Level) -> None:
    late = level(replace(crowds.C, room=600, obstacle="slow", rest="late"))
    assert (late.record.held, late.record.late, late.served, late.prompt) == (600, 400, 1000, 600)
    assert not late.held_all
    refused = level(replace(crowds.D, room=600))
    assert refused.record.refused == 400
    assert refused.kernel.total == pytest.approx(29.5 * 1024, rel=0.01)  # of the 600 who have a connection


def test_what_was_not_measured_is_none_and_never_zero(level: Level) -> None:
    blind = level(empty=Holding(), quiet=Holding(rss_bytes=10**8), quiet_end=Holding(), busy=Holding())
    values = (blind.server_bytes, blind.virtual_bytes, blind.kernel.total, blind.kernel.slab, blind.idle_share,
              blind.quiet_switches, blind.busy_switches, blind.pause_s)  # fmt: skip
    assert values == (None,) * len(values)
    some = Holding(sockets_bytes=0, slab_bytes=7, stacks_bytes=0)
    partly = level(empty=some, quiet=some)
    known = (partly.kernel.sockets, partly.kernel.slab, partly.kernel.stacks, partly.kernel.tables)
    assert (*known, partly.kernel.total) == (0.0, 0.0, None, None, None)  # a kernel without stacks cannot be


def test_a_kernel_that_gave_memory_back_does_not_tell_what_a_connection_takes(level: Level) -> None:
    disturbed = level(quiet=Holding(sockets_bytes=2**20, slab_bytes=80 * 2**20, stacks_bytes=2**24, tables_bytes=2**24))
    assert disturbed.kernel.total is None
    assert disturbed.kernel.shrunk == {"slab": -10 * 2**20 / 1000}
    assert "its slab by 10,486 bytes for each" in disturbed.findings[0].message


def test_users_that_cost_nothing_or_less_are_not_known(level: Level) -> None:
    """A server cannot hold a thousand users in the memory that it had without any."""
    for grown in (-1024 * 1000, 0):
        cell = level(empty=Holding(rss_bytes=10**8), quiet=Holding(rss_bytes=10**8 + grown))
        assert cell.server_bytes is None


@pytest.mark.parametrize(("growth", "known"), [(0, False), (2047, False), (2048, True)])
def test_a_connection_without_memory_in_the_kernel_is_not_known(level: Level, growth: int, known: bool) -> None:
    """Two ends of a connection are two sockets: 0 bytes in the kernel is no result."""
    facts = {"sockets_bytes": 0, "stacks_bytes": 2**20, "tables_bytes": 2**20}
    cell = level(empty=Holding(slab_bytes=2**20, **facts), quiet=Holding(slab_bytes=2**20 + growth * 1000, **facts))
    assert (cell.kernel.total is not None) is known


def test_who_was_never_served_waits_for_ever(level: Level) -> None:
    pool = level(crowds.B)
    assert (pool.established.never, pool.established.p50_s, pool.prompt) == (992, math.inf, 8)
    everybody = level(crowds.C)
    assert everybody.established.max_s == pytest.approx(0.0116, abs=0.001)
    assert everybody.rate == pytest.approx(4900, rel=0.1)
    assert pool.rate is None


def test_a_click_without_an_answer_is_later_than_any_other() -> None:
    times = Times.of([0.001] * 395 + [None] * 5)
    assert (times.count, times.never, times.p50_s, times.p99_s, times.max_s) == (400, 5, 0.001, math.inf, math.inf)
    assert Times.of([0.001] * 396 + [None] * 4).p99_s == 0.001
    assert Times.of([None] * 100).p50_s == math.inf
    assert Times.of([]) == Times(0, 0, None, None, None)


@pytest.mark.parametrize(("count", "known"), [(200, False), (367, False), (368, True)])
def test_a_p99_needs_as_many_clicks_as_requests(count: int, known: bool) -> None:
    assert (Times.of([0.001] * count).p99_s is not None) == known
    assert (percentile(np.full(count, 0.001), 0.99) is not None) == known


def test_above_a_median_that_never_ended_nothing_ended() -> None:
    assert Times.of([0.001] * 2 + [None] * 8).p99_s == math.inf
    assert Times.of([None] * 5).p50_s is None  # even that takes six


def test_how_late_clicks_were_sent_is_known_of_any_number(tmp_path: Path) -> None:
    record = crowds.add(crowds.folder(tmp_path), crowds.C, 100)
    assert cell(record, (), [Click(0, 1.0, 1.007, 1.008)]).late_p99_s == pytest.approx(0.007)
    assert cell(record, (), []).late_p99_s is None


def test_clicks_count_from_the_moment_for_which_they_were_planned(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    record = crowds.add(folder, crowds.C, 1000)
    clicks = [Click(user, user / 100, user / 100 + 0.007, user / 100 + 0.008) for user in range(200)]
    found = cell(record, (), clicks)
    assert found.clicks.p50_s == pytest.approx(0.008)
    assert found.late_p99_s == pytest.approx(0.007)
    assert found.prompt is None


def test_a_clean_level_has_no_finding(level: Level) -> None:
    for kind in crowds.ALL:
        assert ids(level(kind, 1000)) == []


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        ("invalid_trial", {"valid": False, "reason": "the client could not open its files"}),
        ("client_was_the_limit", {"client_share": 0.9}),
        ("capped", {"asked": 100_000, "capped": "only 1,000 ports are free"}),
        ("lost_users", {"held": 990, "lost": 10, "evidence": "reset by peer"}),
        ("collector_pause", {"quiet": Holding(collector_pause_s=0.31)}),
        ("kernel_disturbed", {"quiet": Holding(slab_bytes=80 * crowds.MIB)}),
        ("busy_machine", {"machine": quiet.machine(45.0, (44.0, 2.5), own_s=0.5)}),
        ("stolen_time", {"machine": quiet.machine(45.0, (1.5, 2.5), (30.0, 0.0), own_s=0.5)}),
    ],
)
def test_what_must_be_known_is_found(level: Level, wanted: str, changes: dict[str, Any]) -> None:
    found = level(**changes)
    assert ids(found) == [wanted]
    assert "repeat" not in found.findings[0].message
    assert found.findings[0].remedy


def test_late_sends_few_and_unanswered_clicks_are_found(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    late = [
        Click(user, user / 100, user / 100 + 0.007, None if user < 3 else user / 100 + 0.008) for user in range(400)
    ]
    crowds.add(folder, crowds.C, 1000, rows=folder.write_rows(9, clicks=late), answered=397)
    crowds.add(folder, crowds.C, 100)
    first, second = reversed(analyse(folder).cells)
    assert ids(first) == ["client_was_the_limit", "unanswered_clicks"]
    assert "3 of 400 clicks" in first.findings[1].message
    assert ids(second) == ["few_clicks"]
    assert second.findings[0].message == "40 clicks in 20 s: too few to know the 99th percentile, which needs 368"
    assert second.findings[0].remedy == "more users make more clicks: USERS=1200"


def test_a_pause_says_when_it_was(level: Level) -> None:
    while_coming = level(quiet=Holding(collector_pause_s=0.3), busy=Holding(collector_pause_s=0.3))
    assert "while users connected" in while_coming.findings[0].message
    later = level(quiet=Holding(collector_pause_s=0.01), busy=Holding(collector_pause_s=0.3))
    assert "after all had connected" in later.findings[0].message


def test_cores_that_server_and_client_share_are_found(tmp_path: Path) -> None:
    plan = CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(0,), shared=True, pinned=True)
    folder = crowds.run(tmp_path, (1000,), (crowds.C,), cpu_plans=(plan,))
    assert ids(analyse(folder).cells[0]) == ["shared_cores"]
    with pytest.raises(UsageError, match=r"does not name the cores of CPUS=1"):
        analyse(crowds.run(tmp_path, (1000,), (crowds.C,), cpu_plans=()))


def test_lines_are_in_the_order_of_models_and_rise(tmp_path: Path) -> None:
    found = analyse(crowds.run(tmp_path, (1000, 100), (crowds.D, crowds.C_POLL, crowds.C, crowds.A)))
    assert [
        [(each.record.model, each.record.transport, each.record.users) for each in line] for line in found.lines
    ] == [
        [(model, transport, 100), (model, transport, 1000)]
        for model, transport in (("A", "poll"), ("C", "websocket"), ("C", "poll"), ("D", "poll"))
    ]


def test_a_form_is_a_line_of_its_own_and_no_answer_about_models(tmp_path: Path) -> None:
    found = analyse(crowds.run(tmp_path, (1000, 100), (crowds.LEAN, crowds.C_POLL, crowds.C)))
    assert [(words.label(line[0], found), len(line)) for line in found.lines] == [
        ("C WebSocket", 2), ("C WebSocket, lean", 2), ("C long poll", 2)
    ]  # fmt: skip
    assert words.name(found.lines[1][0], found) == "C (asyncio, WebSocket, lean)"
    assert words.settings(found).endswith("Lean: the chat server without a library.")
    assert "without" not in words.settings(analyse(crowds.run(tmp_path / "usual", (100,), (crowds.C,))))
    newest = crowd_analysis.newest(tmp_path, 1000)
    assert newest
    assert [(cell.record.form, cell.record.users) for cell in newest.cells] == [("usual", 1000)] * 2


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    folder = crowds.run(tmp_path, (100, 1000), (crowds.C,))
    path = folder.path / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    assert [each.record.users for each in analyse(folder).cells] == [100]
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(UsageError, match=r"trials\.jsonl, line 1"):
        analyse(folder)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("user,start_s,connected_s,served_s,outcome\n0,0.0,0.1,0.2,asleep\n", "'asleep' must be one of held"),
        ("user,start_s,connected_s,served_s,outcome\n0,nan,0.1,0.2,held\n", "nan is not finite"),
        ("user,start_s,connected_s,served_s,outcome\n0,0.0\n", "cannot be read"),
        ("user,start_s,connected_s,served_s,outcome\n0,0.0,0.1,0.2,held\n", "has 1 rows, but trial 0 has 100 users"),
    ],
)
def test_damaged_rows_are_one_line(tmp_path: Path, rows: str, words: str) -> None:

    folder = crowds.run(tmp_path, (100,), (crowds.C,))
    (folder.path / "samples" / "0000-users.csv.gz").write_bytes(gzip.compress(rows.encode()))
    with pytest.raises(UsageError, match=words) as caught:
        analyse(folder)
    assert "\n" not in str(caught.value)


def test_rows_that_are_missing_are_named_and_a_level_without_any_is_a_level(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.C, 1000, rows={}, valid=False, reason="the client died")
    (found,) = analyse(folder).cells
    assert (found.established.count, found.prompt, found.clicks.count, found.counts) == (0, None, 0, False)
    crowds.add(folder, crowds.C, 100)
    (folder.path / "samples" / "0001-clicks.csv.gz").unlink()
    with pytest.raises(UsageError, match=r"0001-clicks\.csv\.gz cannot be read"):
        analyse(folder)


def test_a_complete_run_without_a_level_is_damaged_and_one_that_runs_is_empty(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contains none of the 15 trials"):
        analyse(crowds.folder(tmp_path))
    assert analyse(crowds.folder(tmp_path, status="running")).cells == ()


def test_the_summary_is_strict_json_with_null_and_infinity_told_apart(tmp_path: Path) -> None:
    written = summary(crowds.run(tmp_path, (1000,)))
    assert (written["schema"], written["kind"], len(written["cells"])) == (2, "crowd", 5)
    assert (written["experiment"], written["runtime"], written["status"]) == ("crowd", "docker", "complete")
    pool, loop = written["cells"][1:3]
    assert (pool["established_p50_ms"], pool["click_p99_ms"], pool["server_bytes_per_user"]) == ("Infinity", None, None)
    assert loop["click_p99_ms"] == pytest.approx(1.2, rel=0.1)
    assert loop["kernel_bytes_per_connection"]["total"] == pytest.approx(9.5 * 1024, rel=0.01)
    assert loop["findings"] == []


def newest(results: Path) -> CrowdAnalysis | None:
    return crowd_analysis.newest(results, 1000)


def test_the_newest_crowd_is_that_which_is_whole(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    first = crowds.run(tmp_path, (100, 900, 10_000), (crowds.C, crowds.D))
    shutil.copytree(ROOT / "tests" / "data" / "runs" / "docker-bench", tmp_path / "99990101T000000Z-bench")
    crowds.run(tmp_path, (1000,), (crowds.C,), status="partial")
    damaged = crowds.run(tmp_path, (1000,), (crowds.C,))
    (damaged.path / "trials.jsonl").write_text("rubbish\nrubbish\n")
    (tmp_path / "99990101T000000Z-nothing").mkdir()
    (tmp_path / "99990101T000000Z-nothing" / "run.json").write_text("{}")
    found = newest(tmp_path)
    assert found
    assert found.folder == first.path.name
    assert [(each.record.model, each.record.users) for each in found.cells] == [("C", 900), ("D", 900)]
    assert [each.record.users for each in found.cells] == [900, 900]


def test_levels_that_do_not_count_are_not_the_nearest(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.C, 1000, valid=False, reason="the client died")
    crowds.add(folder, crowds.C, 100)
    found = newest(tmp_path)
    assert found
    assert [each.record.users for each in found.cells] == [100]


def test_entries_and_clicks_come_back_as_they_were(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "crowd")
    entries = [
        Entry(0, 0.0, 0.001, 0.002, "held"),
        Entry(1, 0.5, None, None, "refused"),
        Entry(2, 1.0, 1.5, None, "waiting"),
    ]
    clicks = [Click(0, 0.25, 0.250013, 0.2511), Click(2, 1.0, 1.0, None)]
    rows = folder.write_rows(12, users=entries, clicks=clicks)
    assert rows == {"users": "samples/0012-users.csv.gz", "clicks": "samples/0012-clicks.csv.gz"}
    assert folder.read_rows(rows, "users", Entry) == entries
    assert folder.read_rows(rows, "clicks", Click) == clicks
    assert folder.write_rows(13, clicks=[]) == {}
