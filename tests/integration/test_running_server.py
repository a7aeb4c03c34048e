"""A server that already runs: measured from outside, never started, changed, stopped or sent elsewhere."""

import json
import socket
from pathlib import Path

import pytest

from iolab import address
from iolab.errors import ServerFailed
from iolab.runtime import running
from tests import running_servers
from tests.conftest import Run

pytestmark = pytest.mark.usefixtures("undrawn")

SHORT = ("--concurrency", "2,4", "--requests", "16", "--repeats", "2")


def url_of(server: running_servers.Pool, path: str = "/") -> str:
    host, port = server.server_address[:2]
    return address.Address(str(host), int(port), path).url


def run_of(tmp_path: Path) -> Path:
    return (tmp_path / "results" / "latest").resolve()


@pytest.mark.parametrize("generator", [pytest.param("hey", marks=pytest.mark.needs("hey")), "locust"])
def test_a_run_without_theory_says_what_is_not_known(inside: Run, tmp_path: Path, generator: str) -> None:
    with running_servers.pool() as server:
        url = url_of(server, "/slow?x=1")
        done = inside("bench", "--url", url, "--loadgen", generator, *SHORT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert set(server.asked) == {"/slow?x=1"}
    folder = run_of(tmp_path)
    run, summary = (json.loads((folder / name).read_text()) for name in ("run.json", "summary.json"))
    assert run["runtime"] == "url"
    assert run["models"][0]["workers_known"] is False
    assert "packages" not in run["environment"]
    for cell in summary["cells"]:
        assert cell["median_ms"] >= 20
        theory = ("service_ms", "predicted_median_ms", "predicted_mean_ms", "predicted_throughput_rps", "utilisation")
        assert {cell[name] for name in theory} == {None}
        assert set(cell["server"].values()) == {None}
    report = (folder / "report.md").read_text()
    assert "Theory is not known, because it needs the server's workers and wait: WORKERS and WAIT_MS." in report
    assert "CPU limit and accept queue are not known" in report
    assert "ALLOW_REMOTE" not in report
    assert "in theory" not in report
    assert "predict" not in report.partition("## Terms")[0].replace("No prediction is drawn", "")
    for command in (("report",), ("export",)):
        again = inside(*command)
        assert again.returncode == 0, again.stderr
    assert "give WORKERS" in inside("explain", "U4").stdout


def test_a_run_with_workers_and_wait_has_theory(inside: Run, tmp_path: Path) -> None:
    with running_servers.pool(threads=2) as server:
        done = inside("bench", "--url", url_of(server), "--workers", "2", "--wait-ms", "20", *SHORT)
    assert done.returncode == 0, done.stderr
    summary = json.loads((run_of(tmp_path) / "summary.json").read_text())
    assert [cell["predicted_median_ms"] for cell in summary["cells"]] == [20.0, 40.0]
    report = (run_of(tmp_path) / "report.md").read_text()
    assert "Theory is not known" not in report
    assert "workers 2 (as given), wait 20 ms (as given)" in report
    assert "WAIT_MS=20" in report.partition("Repeat this run:")[2]


def test_a_run_goes_on_with_the_server_that_it_began_with(inside: Run, tmp_path: Path) -> None:
    with running_servers.pool() as server:
        assert inside("bench", "--url", url_of(server), *SHORT).returncode == 0
        run = run_of(tmp_path)
        first, *_ = (run / "trials.jsonl").read_text().splitlines(keepends=True)
        (run / "trials.jsonl").write_text(first)
        written = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**written, "status": "partial"}))
        asked = len(server.asked)
        done = inside("bench", "--resume", str(run))
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.asked) > asked
    records = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(len(records)))
    assert len(records) > 1
    assert json.loads((run / "run.json").read_text())["status"] == "complete"


def test_workers_alone_are_not_enough_for_theory(inside: Run, tmp_path: Path) -> None:
    with running_servers.pool() as server:
        assert inside("bench", "--url", url_of(server), "--workers", "8", *SHORT).returncode == 0
    assert "workers and wait: WAIT_MS." in (run_of(tmp_path) / "report.md").read_text()


def test_ipv6(inside: Run) -> None:
    with running_servers.pool(host="::1") as server:
        done = inside("bench", "--url", url_of(server), *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("path", "why"), [("/missing", "answered 404, not 200"), ("/moved", "answered 302, not 200")])
def test_a_path_that_is_not_answered_200_gets_no_load(inside: Run, tmp_path: Path, path: str, why: str) -> None:
    with running_servers.pool() as server:
        done = inside("bench", "--url", url_of(server, path))
        assert server.asked == [path]
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert why in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"hello\n", "the answer is not HTTP"),
        (b"", "closed without an answer"),
        (None, "no answer within 0.2 s"),
    ],
)
def test_a_server_that_does_not_speak_http_gets_no_load(
    inside: Run, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, why: str
) -> None:
    monkeypatch.setattr(running, "ANSWER_LIMIT_S", 0.2)
    with running_servers.raw(answer) as port:
        done = inside("bench", "--url", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert why in done.stderr


def test_an_answer_without_an_end_gets_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_BYTES", 10)
    endless = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1000
    with running_servers.raw(endless) as port, pytest.raises(ServerFailed, match="does not end"):
        running.RunningServer(f"http://127.0.0.1:{port}").verify()


@pytest.mark.parametrize(
    "option",
    [
        ("--models", "A"),
        ("--cpus", "1"),
        ("--backlog", "5"),
        ("--threads", "8"),
        ("--cpu-ms", "1"),
        ("--processes", "2"),
        ("--course", "1"),
        ("--wait-distribution", "constant"),
        ("--runtime", "docker"),
        ("--runtime", "local"),
        ("--experiment", "experiments/bench.toml"),
    ],
)
def test_options_that_need_access_to_the_server_are_refused(inside: Run, option: tuple[str, str]) -> None:
    done = inside("bench", "--url", "http://127.0.0.1:1", *option)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"iolab: {option[0][2:].replace('-', '_').upper()}")
    assert "leave" in done.stderr


@pytest.mark.parametrize("option", [("--workers", "8"), ("--allow-remote", "1")])
def test_options_about_a_server_need_its_url(inside: Run, option: tuple[str, str]) -> None:
    done = inside("bench", *option)
    assert done.returncode == 2
    assert "give URL" in done.stderr


def test_a_name_of_another_machine_is_refused_without_a_request(inside: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("192.0.2.1", 0))])
    for command in ("bench", "contract"):
        done = inside(command, "--url", "http://elsewhere.test:1")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "elsewhere.test (192.0.2.1)" in done.stderr
        assert "ALLOW_REMOTE=1" in done.stderr


def test_permission_stands_in_the_report(inside: Run, tmp_path: Path) -> None:
    with running_servers.pool() as server:
        assert inside("bench", "--url", url_of(server), "--allow-remote", "1", *SHORT).returncode == 0
    assert "needs the permission of its operator" in (run_of(tmp_path) / "report.md").read_text()


def test_two_servers_in_turn(inside: Run) -> None:
    with running_servers.pool(threads=1) as one, running_servers.pool() as eight:
        sides = ("--a", f"URL={url_of(one)}", "--b", f"URL={url_of(eight)}")
        done = inside("ab", *sides, "--rounds", "2", "--concurrency", "2", "--requests", "16")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "U2, 1 CPU" not in done.stdout  # no limit of this server is known


def test_the_contract_of_a_running_server(inside: Run) -> None:
    """Its wait is long, so that what tests beside this one add to it is a small part of its limit."""
    with running_servers.pool(wait_s=0.1) as server:
        url = url_of(server)
        done = inside("contract", "--url", url, "--workers", "8", "--wait-ms", "100", "--json")
        found = {each["name"]: each for each in json.loads(done.stdout)["promises"]}
        plain = inside("contract", "--url", url)
    assert done.returncode == 1
    kept = {name: each["promise"] and each["promise"]["kept"] for name, each in found.items()}
    assert kept["wait"] is True
    assert kept["together"] is True
    assert kept["paths"] is False
    assert "status 200" in found["paths"]["promise"]["seen"]
    assert {name for name, each in kept.items() if each is None} == {
        "starts", "values", "sigterm", "descriptors", "sleeps"
    }  # fmt: skip
    assert "not known, because it needs the server's workers and wait: give WORKERS and WAIT_MS" in plain.stdout


def test_a_server_with_fewer_workers_does_not_keep_what_is_said_of_it(inside: Run) -> None:
    with running_servers.pool(threads=1) as server:
        done = inside("contract", "--url", url_of(server), "--workers", "16", "--wait-ms", "20", "--json")
    found = {each["name"]: each["promise"] for each in json.loads(done.stdout)["promises"]}
    assert found["together"]["kept"] is False
