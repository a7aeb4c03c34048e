"""The course's questions, answered with the numbers of a run; data that say otherwise are not told the book's way."""

from dataclasses import replace

import numpy as np
import pytest

from iolab.experiment import Variant
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.course import answers, applies, table
from iolab.kinds.closed.document import report
from iolab.results.records import ClientUsage, ServerUsage
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


def pool(run: Analysis, threads: int, few_ms: float, many_ms: float, **rates: float | None) -> Analysis:
    """Return the run with so many threads in the pool, and these medians and rates of B with 4 and 16 users."""
    server = run.experiment.server.model_copy(update={"threads": threads})
    other = replace(run, experiment=run.experiment.model_copy(update={"server": server}))
    few = changed(other, "B", 4, median_ms=few_ms, **({"steady_rps": rates["few_rps"]} if rates else {}))
    return changed(few, "B", 16, median_ms=many_ms, **({"steady_rps": rates["many_rps"]} if rates else {}))


FREE = "so each of the 4 users finds a free thread"
TOO_FEW = "this one has too few for 4"


@pytest.mark.parametrize(
    ("threads", "few_ms", "many_ms", "of_four", "of_sixteen"),
    [
        (1, 80.4, 321.0, "80.4 ms, 4.02 x 20 ms: 1 thread serves 4 users in 4 turns", "1 thread serves 16 users in 16"),
        (
            2,
            40.4,
            161.0,
            "40.4 ms, 2.02 x 20 ms: 2 threads serve 4 users in 2 turns",
            "2 threads serve 16 users in 8 t",
        ),
        (
            3,
            20.4,
            101.0,
            "3 threads serve 4 users in 1 or 2 turns",
            "3 threads serve 16 users in 5 or 6 turns: while 3",
        ),
        (
            3,
            26.7,
            106.7,
            "3 threads serve 4 users in 1 or 2 turns",
            "3 threads serve 16 users in 5 or 6 turns: while 3",
        ),
        (
            4,
            20.4,
            80.5,
            "4 threads wait at the same time",
            "4 threads serve 16 users in 4 turns: while 4 requests wait",
        ),
        (16, 20.4, 20.4, "16 threads wait at the same time", "serve all 16 users at the same time"),
        (32, 20.4, 20.4, "32 threads wait at the same time", "serve all 16 users at the same time"),
    ],
)
def test_as_many_turns_are_told_as_the_threads_need(  # noqa: PLR0917 (each is a column)
    run: Analysis, threads: int, few_ms: float, many_ms: float, of_four: str, of_sixteen: str
) -> None:
    told = pool(run, threads, few_ms, many_ms)
    assert of_four in text(told, 2)
    assert (FREE in text(told, 2)) == (threads >= 4)
    assert (TOO_FEW in text(told, 2)) == (threads < 4)
    assert of_sixteen in text(told, 3)
    for number in (2, 3):
        assert "findings" not in text(told, number)
        assert "do not explain" not in text(told, number)
        assert "enough for 4 users" not in text(told, number)
        assert "1 threads" not in text(told, number)


@pytest.mark.parametrize(
    ("threads", "few_ms", "many_ms", "number", "words"),
    [
        (1, 20.4, 321.0, 2, "1 thread serves 4 users in 4 turns, which does not explain that: see the findings."),
        (2, 81.0, 161.0, 2, "2 threads serve 4 users in 2 turns, which does not explain that: see the findings."),
        (3, 81.0, 106.0, 2, "3 threads serve 4 users in 1 or 2 turns, which does not explain that"),
        (4, 40.4, 80.5, 2, "though 4 threads are enough for 4 users: something else took time, see the findings."),
        (16, 10.0, 20.4, 2, "0.50 x 20 ms, less than one service time, which no number of threads explains"),
        (1, 80.4, 161.0, 3, "16 turns of 1 thread would be 16 times 20 ms."),
        (2, 40.4, 321.0, 3, "8 turns of 2 threads would be 8 times 20 ms."),
        (3, 26.7, 321.0, 3, "5 or 6 turns of 3 threads would be 5 or 6 times 20 ms."),
        (8, 45.0, 40.3, 3, "The threads do not explain the median with 4 users: see question 2."),
        (32, 45.0, 20.4, 3, "The threads do not explain that: see the findings."),
        (32, 20.4, 10.0, 3, "The threads do not explain that: see the findings."),
    ],
)
def test_times_that_the_threads_do_not_explain_are_told_so(  # noqa: PLR0917 (each is a column)
    run: Analysis, threads: int, few_ms: float, many_ms: float, number: int, words: str
) -> None:
    assert words in text(pool(run, threads, few_ms, many_ms), number)


@pytest.mark.parametrize(
    ("threads", "few_rps", "many_rps", "words"),
    [
        (
            8,
            None,
            390.0,
            "How the throughput changes is not known: this run has no rate for 4 users. 8 threads can serve",
        ),
        (8, 195.0, None, "is not known: this run has no rate for 16 users. 8 threads can serve 400/s."),
        (
            8,
            195.0,
            150.0,
            "from 195/s to 150/s of the 400/s that 8 threads can serve: 0.77 times for 4 times the users.",
        ),
        (8, 195.0, 150.0, "In theory it is 2 times."),
        (2, 99.0, 98.0, "from 99/s to 98/s of the 100/s that 2 threads can serve: 0.99 times for 4 times the users."),
        (3, 149.0, 148.0, "from 149/s to 148/s of the 150/s that 3 threads can serve"),
        (32, 196.0, 785.0, "from 196/s to 785/s of the 1600/s that 32 threads can serve: 4.01 times"),
    ],
)
def test_a_throughput_rises_only_where_it_does(
    run: Analysis, threads: int, few_rps: float | None, many_rps: float | None, words: str
) -> None:
    told = text(pool(run, threads, 20.4, 40.3, few_rps=few_rps, many_rps=many_rps), 3)
    assert words in told
    assert "rises" not in told
    assert " - " not in told
    assert ("SSD" in told) == (None not in {few_rps, many_rps} and "In theory" not in told)
    assert ("In theory" in told) == (many_rps == 150.0)


def test_resources_that_are_not_known_are_told_so(run: Analysis) -> None:
    unknown = ServerUsage()
    for model, users, number in (("B", 4, 2), ("C", 16, 4)):
        told = text(changed(run, model, users, server=unknown), number)
        assert "How much CPU time a request took is not known." in told
        assert "with - thread" not in told
    assert "with an unknown number of threads." in text(changed(run, "C", 16, server=unknown), 4)
    assert "an unknown number of threads and an unknown amount of memory" in text(
        changed(run, "C", 16, server=unknown), 5
    )


def test_a_median_below_the_service_time_is_not_that_of_the_loop(run: Analysis) -> None:
    assert "does not stay at 20 ms" in text(changed(run, "C", 16, median_ms=10.0), 4)


@pytest.mark.parametrize(
    ("threads", "words"),
    [
        (1, "In a pool of 1 thread, each open connection occupies a thread: 1 user chats, and 999 wait in the queue."),
        (1000, "In a pool of 1,000 threads, each open connection occupies a thread: all users chat."),
    ],
)
def test_a_pool_for_all_who_chat_has_no_queue(run: Analysis, threads: int, words: str) -> None:
    assert words in text(pool(run, threads, 20.4, 40.3), 5)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"median_ms": 328.0}, "lower: 0.8 times 0.4 s"),
        ({"median_ms": 328.0, "backlog": 128, "predicted_median_ms": 320.0}, "lower: 0.8 times 0.4 s"),
        ({"server": ServerUsage()}, "lower: 0.4 times 0.4 s"),  # whether packets were dropped is not known
        ({"median_ms": 405.0}, "as expected"),
    ],
)
def test_a_median_below_the_course_s_has_a_short_queue_only_where_that_dropped_packets(
    run: Analysis, changes: dict[str, object], verdict: str
) -> None:
    rows = {(row.model[0], row.users): row for row in table(changed(run, "A", 16, **changes))}
    assert rows["A", 16].verdict == verdict


@pytest.mark.parametrize(("slowest_ms", "again", "shown"), [(520.0, 54, False), (5400.0, 0, False), (5400.0, 54, True)])
def test_attempts_that_were_sent_again_are_told_where_the_tail_shows_them(
    run: Analysis, slowest_ms: float, again: int, shown: bool
) -> None:
    client = ClientUsage(syn_retransmits=again)
    told = text(changed(run, "A", 16, max_ms=slowest_ms, client=client), 1)
    assert "(5 + 2) x 20 ms = 140 ms" in told
    for words in ("TCP sends those again", "'very high' is in the tail", "still wait for TCP", "the server idles"):
        assert (words in told) == shown
    assert "Over the whole span it is 35/s" in told


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
    computes = run.experiment.server.model_copy(update={"wait_ms": 15.0, "cpu_ms": 5.0})  # its wait is another one
    assert not applies(replace(run, experiment=run.experiment.model_copy(update={"server": computes})))
    assert applies(replace(run, experiment=run.experiment.model_copy(update={"cpus": (2.0,)})))
    none = replace(run, cells=(AnalysedCell(run.cells[0].cell.model_copy(update={"median_ms": None}), (np.empty(0),)),))
    assert not applies(none)


def test_the_answers_are_folded(run: Analysis, recorded_page: str) -> None:
    shown, plain = recorded_page, markdown(report(run))
    assert shown.count("<details><summary>") == 5
    assert plain.count("<details>") == plain.count("</details>") == 5
    assert figures(shown) == 3
