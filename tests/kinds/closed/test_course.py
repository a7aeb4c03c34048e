"""The course's questions, answered with the numbers of a run; data that say otherwise are not told the book's way."""

from dataclasses import replace

import numpy as np
import pytest

from iolab.experiment import Variant
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.course import answers, applies, table
from iolab.kinds.closed.document import report
from iolab.results.records import ClientUsage
from tests.rendered import figures, markdown, page


@pytest.fixture(scope="module")
def run(recorded: Analysis) -> Analysis:
    return recorded


def changed(analysis: Analysis, model: str, users: int, **changes: object) -> Analysis:
    """Return the analysis with one cell changed."""
    cells = [
        replace(each, cell=each.cell.model_copy(update=changes))
        if (each.cell.model, each.cell.concurrency) == (model, users)
        else each
        for each in analysis.cells
    ]
    return replace(analysis, cells=tuple(cells))


def text(analysis: Analysis, number: int) -> str:
    return " ".join(answers(analysis)[number - 1].paragraphs)


def test_the_table_sets_expected_beside_measured_beside_predicted(run: Analysis) -> None:
    rows = {(row.model[0], row.users): row for row in table(run)}
    assert len(rows) == 6
    assert (rows["A", 4].expected, rows["A", 4].measured, rows["A", 4].predicted) == ("0.08 s", "81.0 ms", "80.0 ms")
    assert rows["A", 16].verdict == "lower: its accept queue is short, see question 1"
    assert {row.verdict for key, row in rows.items() if key != ("A", 16)} == {"as expected"}


def test_answers_have_this_run_s_numbers(run: Analysis) -> None:
    assert len(answers(run)) == 5
    for number, words in (
        (
            1,
            (
                "81.0 ms, 4.05 x 20 ms",
                "(5 + 2) x 20 ms = 140 ms",
                "dropped 93 packets",
                "49/s",
                "0.99",
                "35/s",
                "M/M/1",
            ),
        ),
        (2, ("20.4 ms", "8 threads wait at the same time")),
        (3, ("20.4 ms to 40.3 ms", "in 2 turns", "389/s of the 400/s", "SSD")),
        (4, ("20.7 ms, 1.03 x 20 ms", "with 1 thread")),
        (5, ("992 wait in the queue", "Choose asyncio")),
    ):
        for word in words:
            assert word in text(run, number), (number, word)


def test_data_that_say_otherwise_are_not_told_the_book_s_way(run: Analysis) -> None:
    slow = changed(run, "A", 4, median_ms=150.0)
    assert "do not explain that" in text(slow, 1)
    whole = run.cells[1].cell.server.model_copy(update={"listen_overflows": 0})
    long_queue = changed(run, "A", 16, median_ms=330.0, server=whole)
    assert "it holds, as no connection attempt was dropped" in text(long_queue, 1)
    for number, words in ((3, "it holds, though the number of dropped packets is 3"), (None, "packets is not known")):
        few = whole.model_copy(update={"listen_overflows": number})
        assert words in text(changed(run, "A", 16, median_ms=330.0, server=few), 1)
    assert "which neither this nor a short accept queue explains" in text(changed(run, "A", 16, median_ms=220.0), 1)
    assert "Over the whole span" not in text(changed(run, "A", 16, throughput_rps=49.0), 1)
    assert "something else took time" in text(changed(run, "B", 4, median_ms=45.0), 2)
    assert "2 turns of 8 threads would be 2 times" in text(changed(run, "B", 16, median_ms=22.0), 3)
    assert "does not stay at 20 ms" in text(changed(run, "C", 16, median_ms=90.0), 4)
    for too_fast_ms, verdict in ((15.1, "as expected"), (10.0, "0.5 times the expected value")):
        assert table(changed(run, "C", 16, median_ms=too_fast_ms))[-1].verdict == verdict
    assert table(changed(run, "C", 16, median_ms=90.0))[-1].verdict == "4.5 times the expected value"


@pytest.mark.parametrize(
    ("threads", "median_ms", "words"),
    [
        (4, 80.0, "4 threads serve 16 users in 4 turns"),
        (16, 20.4, "16 threads serve all 16 users at the same time, so no request waits for a thread."),
        (32, 20.4, "32 threads serve all 16 users at the same time, so no request waits for a thread."),
        (16, 40.3, "The threads do not explain that: see the findings."),
    ],
)
def test_threads_for_all_users_serve_them_without_turns(
    run: Analysis, threads: int, median_ms: float, words: str
) -> None:
    server = run.experiment.server.model_copy(update={"threads": threads})
    other = replace(run, experiment=run.experiment.model_copy(update={"server": server}))
    told = text(changed(other, "B", 16, median_ms=median_ms), 3)
    assert words in told
    assert ("turns" in told) == (threads < 16)
    assert ("see the findings" in told) == (median_ms == 40.3)


@pytest.mark.parametrize(
    ("median_ms", "client", "words"),
    [
        (20.7, ClientUsage(cpu_s=0.1872), "0.7 ms above 20 ms. A request takes"),
        (20.7, ClientUsage(cpu_s=0.1872), "0.30 ms of CPU time of the load generator"),
        (20.7, ClientUsage(), "How late it ended was not measured."),
        (20.05, ClientUsage(), ""),
        (19.9, ClientUsage(), ""),
    ],
)
def test_what_lies_above_the_service_time_is_not_said_to_be_a_timer(
    run: Analysis, median_ms: float, client: ClientUsage, words: str
) -> None:
    told = text(changed(run, "C", 16, median_ms=median_ms, client=client), 4)
    assert words in told
    assert ("above 20 ms" in told) == bool(words)
    assert ("load generator" in told) == (client.cpu_s is not None)
    assert "are the resolution of epoll" not in told


def test_what_was_not_measured_is_said(run: Analysis) -> None:
    only_c = replace(run, cells=tuple(each for each in run.cells if each.cell.model == "C"))
    assert [row.verdict for row in table(only_c)][:4] == ["not measured in this run"] * 4
    assert "This run has no result for B with 4 users" in text(only_c, 3)


@pytest.mark.usefixtures("undrawn")
def test_another_experiment_is_not_asked_the_course_s_questions(run: Analysis) -> None:
    server = run.experiment.server.model_copy(update={"wait_ms": 5.0})
    other = replace(run, experiment=run.experiment.model_copy(update={"server": server}))
    assert not applies(other)
    assert "Five questions" not in page(report(other))
    vary = (Variant(name="random", wait_distribution="exponential"), Variant(name="long queue", backlog=1024))
    for change in ({"vary": vary[:1]}, {"vary": vary}, {"cpus": (0.5, 1.0)}):
        assert not applies(replace(run, experiment=run.experiment.model_copy(update=change)))
    random = run.experiment.server.model_copy(update={"wait_distribution": "exponential"})
    assert not applies(replace(run, experiment=run.experiment.model_copy(update={"server": random})))
    assert applies(replace(run, experiment=run.experiment.model_copy(update={"cpus": (2.0,)})))
    none = replace(run, cells=(AnalysedCell(run.cells[0].cell.model_copy(update={"median_ms": None}), (np.empty(0),)),))
    assert not applies(none)


def test_the_answers_are_folded(run: Analysis, recorded_page: str) -> None:
    shown, plain = recorded_page, markdown(report(run))
    assert shown.count("<details><summary>") == 5
    assert plain.count("<details>") == plain.count("</details>") == 5
    assert figures(shown) == 3
