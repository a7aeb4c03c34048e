"""The command `iolab theory`: its table, its JSON object, and what it refuses."""

import json
import re
from typing import Any

import pytest

from iolab.cli import main as cli
from iolab.report import theory_terminal
from tests.conftest import ROOT


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["iolab", "theory", *arguments])
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("RATE", "USERS", "SLO", "SERVICE_MS", "WORKERS", "WAIT_DISTRIBUTION", "JSON", "MAKEFLAGS"):
        monkeypatch.delenv(name, raising=False)
    status = cli.run()
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def theory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


def test_the_object_has_all_that_was_asked_for(theory: Any) -> None:
    status, out, err = theory(
        "--rate", "27", "--service-ms", "20.26", "--users", "16", "--slo", "p99<100ms", "--json"
    )  # fmt: skip
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert (found["service_ms"], found["workers"], found["wait_distribution"]) == (20.26, 1, "constant")
    assert found["closed"]["mean_ms"] == pytest.approx(16 * 20.26)
    assert found["closed"]["throughput_rps"] == pytest.approx(1000 / 20.26)
    rho = 27 * 0.02026
    assert found["open"]["utilisation"] == pytest.approx(rho)
    assert found["open"]["mean_ms"] == pytest.approx(20.26 * (1 + rho / (2 * (1 - rho))))
    assert found["open"]["p50_ms"] < found["open"]["p95_ms"] < found["open"]["p99_ms"] < 100
    assert found["slo"]["highest_rps"] == pytest.approx(27.42, abs=0.005)
    assert (found["slo"]["holds"], found["slo"]["workers_needed"]) == (True, 1)


def test_what_was_not_asked_for_is_null(theory: Any) -> None:
    only_users = json.loads(theory("--users", "4", "--workers", "inf", "--json")[1])
    assert (only_users["open"], only_users["slo"], only_users["workers"]) == (None, None, None)
    only_rate = json.loads(theory("--rate", "4", "--wait-distribution", "exponential", "--json")[1])
    assert (only_rate["closed"], only_rate["slo"]) == (None, None)
    only_objective = json.loads(theory("--slo", "mean<30ms", "--json")[1])
    assert (only_objective["closed"], only_objective["open"]) == (None, None)
    assert only_objective["slo"]["highest_rps"] == pytest.approx(25)
    assert only_objective["slo"]["workers_needed"] is None


def test_the_sentences_say_what_the_numbers_mean(theory: Any) -> None:
    _, out, _ = theory("--rate", "40", "--users", "16", "--slo", "p99<100ms", "--workers", "2")
    text = " ".join(out.split())
    assert "Theory of 2 workers with constant service times of 20.00 ms" in text
    assert "Open loop (M/D/2):" in text
    assert "From 100.0/s on the queue grows without bound." in text
    assert "16 users keep all workers busy, and 14 of their requests wait at any time." in text
    assert re.search(r"With 2 workers, p99<100ms holds up to 7\d\.\d\d/s, which is 7\d% utilisation", text)
    assert re.search(r"At 40\.00/s the p99 is \S+ ms, so the objective holds; at this rate it needs 2 workers\.", text)
    _, out, _ = theory("--rate", "40", "--users", "3", "--slo", "p99<100ms", "--workers", "inf")
    text = " ".join(out.split())
    assert "so no request waits at any rate" in text
    assert "every user has a worker, so no request waits." in text
    assert "p99<100ms holds at any rate." in text
    assert "At 40.00/s the p99 is 20.00 ms, so the objective holds; at this rate it needs 2 workers." in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to compute: give RATE, USERS or SLO, such as make theory RATE=27"),
        (("--workers", "8"), "nothing to compute"),
        (("--rate", "50"), "RATE=50: unstable, utilisation 1: from 50.00/s on the queue grows without bound"),
        (("--rate", "390"), "use a lower rate, or WORKERS=8 or more"),
        (("--rate", "600000", "--workers", "10"), "use a lower rate, or more than 10,000 workers"),
        (("--rate", "5e-324", "--service-ms", "1e-300"), "must be a number from 0.000001"),
        (("--rate", "1_0"), "RATE=1_0: must be a number"),
        (("--rate", "3", "--workers", "\u0663"), "must be a whole number from 1 to 10,000, or inf"),
        (("--rate", "390", "--slo", "p99<100ms"), "or WORKERS=9, which p99<100ms needs"),
        (("--rate", "1e9", "--slo", "p99<100ms"), "or more than 10,000 workers"),
        (("--slo", "p99<20ms"), "SLO=p99<20ms: without any queue it is 20 ms, so no rate can meet it"),
        (("--slo", "p50<13ms", "--wait-distribution", "exponential"), "without any queue it is 13.86 ms"),
        (("--slo", "p99<1s", "--rate", "0"), "RATE=0: must be a number from 0.000001 to 1,000,000,000"),
        (("--slo", "p98<1s"), "SLO=p98<1s: must be such as p99<100ms"),
        (("--slo", "p99<\u0661\u0660\u0660ms"), "ms: must be such as p99<100ms"),  # Arabic digits
        (("--rate", "\u0662\u0667"), "must be a number from 0.000001"),
        (("--rate", "50.0000001"), "RATE=50.0000001: unstable, utilisation 1: from 50.0000000/s on"),
        (("--rate", "nan"), "RATE=nan: must be a number from 0.000001"),
        (("--rate", "inf"), "RATE=inf: must be a number from 0.000001"),
        (("--rate", "-3"), "RATE=-3: must be a number from 0.000001"),
        (("--rate", "3", "--service-ms", "0"), "SERVICE_MS=0: must be a number from 0.000001"),
        (("--rate", "3", "--service-ms", "1e12"), "SERVICE_MS=1e12: must be a number from 0.000001"),
        (("--rate", "3", "--workers", "0"), "WORKERS=0: must be a whole number from 1 to 10,000, or inf"),
        (("--rate", "3", "--workers", "1000000000"), "WORKERS=1000000000: must be a whole number"),
        (("--rate", "3", "--workers", "1.5"), "WORKERS=1.5: must be a whole number"),
        (("--users", "0"), "USERS=0: must be a whole number from 1 to"),
        (("--users", "2.5"), "USERS=2.5: must be a whole number"),
        (("--rate", "3", "--wait-distribution", "normal"), "WAIT_DISTRIBUTION=normal: must be constant or exponential"),
    ],
)
def test_a_mistake_ends_in_one_line(theory: Any, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = theory(*arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rate", "49.999995", "--slo", "p99.9<1s"),
        ("--rate", "49.99999999999999", "--slo", "p99<1s"),
        ("--rate", "499990", "--workers", "10000", "--users", "1000000000", "--slo", "p50<21ms"),
        ("--rate", "0.000001", "--service-ms", "0.000001", "--slo", "p99<86400s"),
        ("--rate", "1000000000", "--service-ms", "86400000", "--workers", "inf"),
    ],
)
def test_extreme_values_have_an_answer(theory: Any, arguments: tuple[str, ...]) -> None:
    status, out, _ = theory(*arguments, "--json")
    assert status == 0
    assert "NaN" not in out
    assert "Infinity" not in out


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--rate", "9990", "--service-ms", "1000", "--workers", "10000"), "99.9%"),
        (("--rate", "49.9999999"), "<100%"),
    ],
)
def test_the_utilisation_of_a_stable_queue_is_not_100(theory: Any, arguments: tuple[str, ...], shown: str) -> None:
    status, out, _ = theory(*arguments)
    assert status == 0
    assert shown in out
    assert "100%" not in out.replace("<100%", "")


def test_two_rates_are_not_shown_as_one(theory: Any) -> None:
    _, out, _ = theory("--rate", "49.9999999", "--slo", "p99.9<1000s")
    text = " ".join(out.split())
    assert "49.9999999/s" in text
    assert "From 50.0000000/s on the queue grows" in text
    highest, given = re.findall(r"holds up to ([\d.]+)/s", text)[0], re.findall(r"At ([\d.]+)/s the p99.9", text)[0]
    assert float(highest) < float(given) < 50
    assert "is <100% utilisation" in text or re.search(r"is 99\.\d+% utilisation", text)
    assert theory_terminal.rate(27.0, 50.0, None, 27.0) == "27.00/s"
    assert theory_terminal.rate(2e-7, 2.00001e-7) == "2.00000e-07/s"


def test_numbers_have_four_digits() -> None:
    texts = [theory_terminal.significant(value) for value in (27.419, 1234.5, 0.05128, 123456.0, 0.0, 3e-7)]
    assert texts == ["27.42", "1,234", "0.05128", "123,456", "0", "3.0e-07"]
    assert (theory_terminal.time(1234.5), theory_terminal.time(20.26)) == ("1.234 s", "20.26 ms")


def test_the_output_in_the_documents_is_the_real_one(theory: Any) -> None:
    text = (ROOT / "docs" / "queueing.md").read_text()
    command = re.search(r"^make theory (.*)$", text, re.MULTILINE)
    assert command
    given = dict(re.findall(r'([A-Z_]+)="?([^\s"]+)"?', command[1]))
    arguments = [each for name, value in given.items() for each in (f"--{name.lower().replace('_', '-')}", value)]
    printed = theory(*arguments)[1]
    shown = text[command.end() :].split("```text\n")[1].split("```")[0]
    assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]
