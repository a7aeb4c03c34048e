"""`iolab bench` as a user runs it, with local processes: results, interruptions, accidents, mistakes."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from iolab.lab import Lab
from iolab.results.folder import RunFolder
from tests.conftest import Run, Start
from tests.waiting import wait_until

SMALL = ("--runtime", "local", "--repeats", "1", "--requests", "40", "--concurrency", "4")
WARM_UP_S = 0.4  # the longest that a warm-up of a few users takes
LONG = ("--runtime", "local", "--repeats", "3", "--requests", "200", "--concurrency", "4", "--models", "C")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def latest(results: Path, name: str) -> Any:
    return json.loads((results / "latest" / name).read_text())


def trials(results: Path) -> list[dict[str, Any]]:
    path = results / "latest" / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Return when it has happened; fails where the process ends before."""

    def happened() -> bool:
        if condition():
            return True
        assert process.poll() is None, process.communicate()
        return False

    wait_until(happened, seconds, every_s=0.1)  # most conditions read all of /proc, and what is waited for computes


def nothing_serves(lab: Lab) -> bool:
    for model in lab.models:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", model.port.host)) == 0:
                return False
    return True


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.load
@pytest.mark.measures
def test_a_bench_measures_every_model_and_leaves_a_report(inside: Run, lab: Lab, results: Path) -> None:
    done = inside("bench", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Servers run as local processes: requested by RUNTIME=local.")
    cells = {cell["model"]: cell for cell in latest(results, "summary.json")["cells"]}
    assert list(cells) == ["A", "B", "C", "D"]
    for cell in cells.values():
        assert cell["ok"] == cell["requested"] == 40
        assert cell["median_ms"] >= 19
        assert cell["server"]["cpu_s"] is not None
        assert cell["server"]["throttled_s"] is None
        assert cell["server"]["rss_peak_bytes"] > 2**20
    assert cells["A"]["median_ms"] > 2.5 * cells["C"]["median_ms"]
    assert cells["B"]["server"]["threads_peak"] >= 9
    assert latest(results, "run.json")["status"] == "complete"
    assert {path.name for path in (results / "latest").iterdir()} == {
        "run.json", "trials.jsonl", "samples", "summary.json", "report.html", "report.md",
    }  # fmt: skip
    assert nothing_serves(lab)


@pytest.mark.load
def test_results_are_never_overwritten_and_reports_can_be_made_anew(inside: Run, results: Path) -> None:
    for _ in range(2):
        assert inside("bench", *SMALL, "--models", "C").returncode == 0
    runs = RunFolder.newest_first(results)
    assert len(runs) == 2
    page = runs[0].path / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert inside("report", str(runs[0].path)).returncode == 0
    assert page.read_bytes() == before


@pytest.mark.load
def test_without_hey_locust_makes_the_load(inside: Run, results: Path) -> None:
    done = inside("bench", *SMALL, "--models", "B,C", variables={"PATH": "/nowhere"})
    assert done.returncode == 0, done.stderr
    assert latest(results, "run.json")["generator"] == "locust"
    assert all(cell["ok"] == 40 and cell["client"]["cpu_s"] > 0 for cell in latest(results, "summary.json")["cells"])


@pytest.mark.load
def test_without_docker_it_says_so_and_takes_local_processes(inside: Run, results: Path) -> None:
    done = inside("bench", *SMALL, "--runtime", "auto", "--models", "C", variables={"PATH": "/nowhere"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Servers run as local processes: Docker is not installed.")
    assert "Servers ran as local processes: Docker is not installed." in (results / "latest" / "report.md").read_text()


@pytest.mark.load
@pytest.mark.needs("affinity")
def test_servers_and_load_run_on_the_planned_cores(start: Start, lab: Lab, results: Path) -> None:
    process = start("bench", *LONG)
    wait_for(lambda: (results / "latest").exists() and len(descendants(process)) >= 2, process)
    plan = latest(results, "run.json")["cpu_plans"][0]
    wanted = {"server_asyncio.py": plan["server"], "_driver.py": plan["loadgen"]}
    seen: dict[str, list[int]] = {}

    def look() -> bool:
        for child in descendants(process):
            try:
                seen.update(
                    {
                        name: child.cpu_affinity()
                        for name in wanted
                        if child.cmdline()[-1:] and child.cmdline()[-1].endswith(name)
                    }
                )
            except psutil.Error:
                continue
        return len(seen) == 2

    wait_for(look, process)
    assert seen == wanted


@pytest.mark.load
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_keeps_what_was_measured(
    start: Start, lab: Lab, results: Path, signum: int, status: int
) -> None:
    process = start("bench", *LONG)
    wait_for(lambda: (results / "latest").exists() and trials(results), process)
    children = descendants(process)
    os.killpg(process.pid, signum)  # as a terminal does it: the whole foreground group hears it
    os.killpg(process.pid, signum)
    process.communicate(timeout=60)
    assert process.returncode == status
    assert latest(results, "run.json")["status"] == "partial"
    assert latest(results, "summary.json")["cells"][0]["ok"] >= 200
    assert "This run was interrupted" in (results / "latest" / "report.html").read_text()
    assert nothing_serves(lab)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.load
@pytest.mark.measures
def test_a_pool_behind_the_servers_makes_c_step_as_b_does(inside: Run, results: Path) -> None:
    many = ("--runtime", "local", "--repeats", "1", "--requests", "160", "--concurrency", "4,16", "--models", "B,C,D")
    done = inside("bench", *many, "--threads", "16", "--downstream", "8")
    assert done.returncode == 0, done.stderr + done.stdout
    run, cells = latest(results, "run.json"), latest(results, "summary.json")["cells"]
    assert run["changed"]["DOWNSTREAM"] == "8"
    assert {each["letter"]: each["connections"] for each in run["models"]} == {"B": 8, "C": 8, "D": 8}
    median = {(cell["model"], cell["concurrency"]): cell["median_ms"] for cell in cells}
    for letter in "BCD":
        assert 1.6 < median[letter, 16] / median[letter, 4] < 2.6
    named = {"B": "not the 16 workers", "C": "not the server", "D": "not the server"}
    for cell in cells:
        assert cell["predicted_median_ms"] == (20 if cell["concurrency"] == 4 else 40)
        found = [each for each in cell["findings"] if each["id"] == "downstream_pool"]
        assert len(found) == (cell["concurrency"] == 16)
        assert all(named[cell["model"]] in each["message"] for each in found)
        assert cell["concurrency"] == 4 or 0.6 < cell["utilisation"] <= 1.1
    report = (results / "latest" / "report.md").read_text()
    assert "8 connections to the downstream service" in report


def downstream(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the downstream service, once it is that."""
    for child in descendants(process):
        with suppress(psutil.Error):
            if "server_downstream.py" in " ".join(child.cmdline()):
                return child
    return None


def test_an_interruption_ends_the_downstream_service_too(start: Start, lab: Lab, results: Path) -> None:
    process = start("bench", *LONG, "--downstream", "2")
    wait_for(lambda: downstream(process), process)
    behind = downstream(process)
    assert behind
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert nothing_serves(lab)
    assert not behind.is_running()


def test_a_downstream_service_that_dies_makes_a_trial_invalid(start: Start, results: Path) -> None:
    process = start("bench", *LONG, "--downstream", "2", "--wait-ms", "50")

    wait_for(lambda: server(process), process)
    behind = downstream(process)
    assert behind
    behind.kill()
    process.communicate(timeout=90)
    assert process.returncode == 1
    found = trials(results)
    assert [each["valid"] for each in found].count(False) == 1
    (reason,) = (each["reason"] for each in found if not each["valid"])
    assert "200" in reason


@pytest.mark.load
@pytest.mark.parametrize("delay_s", [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5])
def test_an_interruption_at_any_moment_leaves_no_process(start: Start, lab: Lab, delay_s: float) -> None:
    process = start("bench", *LONG)
    known: dict[int, psutil.Process] = {}
    moment = time.monotonic() + delay_s

    def has_come() -> bool:
        known.update({child.pid: child for child in descendants(process)})
        return time.monotonic() >= moment

    wait_until(has_come, every_s=0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stderr == ""
    assert not [child for child in known.values() if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert nothing_serves(lab)


def server(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the process of server C, once it is that."""
    for child in descendants(process):
        with suppress(psutil.Error):
            if child.cmdline()[-1:] == ["server_asyncio.py"]:
                return child
    return None


def connections(process: psutil.Process | None) -> int:
    """Return how many connections a process holds."""
    with suppress(psutil.Error):
        return sum(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp")) if process else 0
    return 0


def wait_for_mid_trial(process: subprocess.Popen[str], users: int) -> None:
    """Return when server C's users are connected for longer than a warm-up lasts."""
    since_s: float | None = None

    def all_are_there() -> bool:
        nonlocal since_s
        if connections(server(process)) != users:
            since_s = None
        elif since_s is None:
            since_s = time.monotonic()
        return since_s is not None and time.monotonic() - since_s > WARM_UP_S

    wait_for(all_are_there, process)


@pytest.mark.load
def test_a_server_that_dies_in_mid_trial_spoils_that_trial_alone(start: Start, lab: Lab, results: Path) -> None:
    process = start("bench", *LONG, "--requests", "400")
    wait_for(lambda: (results / "latest").exists() and trials(results), process)
    wait_for_mid_trial(process, 4)
    victim = server(process)
    assert victim
    victim.kill()
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 1, stderr
    records = trials(results)
    assert [record["valid"] for record in records].count(False) == 1
    assert len(records) == 3
    (spoiled,) = [record for record in records if not record["valid"]]
    assert "the server ended with status -9" in spoiled["reason"]
    assert spoiled["rows"]
    assert "the server ended with status -9" in " ".join(stdout.split())
    assert latest(results, "run.json")["status"] == "failed"


@pytest.mark.load
def test_a_hey_that_fails_is_told(inside: Run, results: Path, tmp_path: Path) -> None:
    hey = tmp_path / "bin" / "hey"
    hey.parent.mkdir()
    usage = "case $1 in -h) echo 'Usage: hey [options...] <url>' >&2; exit 2;; esac"
    hey.write_text(f"#!/bin/sh\n{usage}\necho 'hey: out of cheese' >&2\nexit 3\n")
    hey.chmod(0o755)
    done = inside("bench", *SMALL, "--models", "C", variables={"PATH": f"{hey.parent}:/usr/bin:/bin"})
    assert done.returncode == 1
    assert trials(results)[0]["reason"] == "hey ended with status 3: hey: out of cheese"
    assert not latest(results, "summary.json")["cells"][0]["valid"]


@pytest.mark.load
def test_the_second_of_two_is_refused(start: Start, iolab: Run, results: Path) -> None:
    first = start("bench", *LONG)
    wait_for((results / "latest").exists, first)
    second = iolab("bench", *SMALL)
    assert (second.returncode, second.stdout) == (2, "")
    assert re.fullmatch(
        rf"iolab: another benchmark is running \(bench, pid {first.pid}, for \d+ s, about \d+ s more\):"
        r" wait until it ends with WAIT=1, or stop it\n",
        second.stderr,
    )


def test_a_taken_port_is_named_with_its_holder(inside: Run, lab: Lab, results: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", lab.select(["B"])[0].port.host))
        holder.listen()
        done = inside("bench", *SMALL)
    assert done.returncode == 2
    assert f"for server B (threadpool) is in use by {psutil.Process().name()} (pid {os.getpid()})" in done.stderr
    assert not results.exists()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CPUS": "0"}, "CPUS=0"),
        ({"CPUS": "-1"}, "CPUS=-1"),
        ({"CPUS": "abc"}, "CPUS=abc: must be a number, or several"),
        ({"CPUS": "4096"}, "CPUS=4096: this machine has"),
        ({"CPUS": "0.25"}, "CPUS=0.25: a fraction of a CPU needs Docker (requested by RUNTIME=local)"),
        ({"MODELS": "nginx"}, "MODELS=nginx: no such model"),
        ({"CONCURRENCY": "0"}, "CONCURRENCY=0"),
        ({"REQUESTS": "many"}, "REQUESTS=many: must be a whole number"),
        ({"REPEATS": "0"}, "REPEATS=0"),
        ({"LOADGEN": "ab"}, "LOADGEN=ab: must be auto, hey or locust"),
        ({"LOADGEN": "hey", "PATH": "/nowhere"}, "hey is not on PATH"),
        ({"RUNTIME": "podman"}, "RUNTIME=podman: must be auto, docker or local"),
        ({"WAIT_MS": "-3"}, "WAIT_MS=-3"),
        ({"BACKLOG": "0"}, "BACKLOG=0"),
        ({"THREADS": "0"}, "THREADS=0"),
        ({"EXPERIMENT": "nowhere.toml"}, "EXPERIMENT=nowhere.toml cannot be read: No such file"),
        ({"BLOCKING_PORT": "http"}, "service blocking: port"),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_mistake_ends_in_one_line_before_anything_starts(
    inside: Run, results: Path, variables: dict[str, str], said: str
) -> None:
    done = inside("bench", variables={"RUNTIME": "local", **variables})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("iolab: ")
    assert said in line
    assert not results.exists()


@pytest.mark.parametrize(("results", "said"), [("README.md", "File exists"), ("/proc/x", "No such file")])
def test_results_that_cannot_be_written_are_refused_in_one_line(inside: Run, results: str, said: str) -> None:
    done = inside("bench", *SMALL, variables={"RESULTS": results})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"iolab: RESULTS={results}: {said}")


def test_outside_the_lab_it_says_where_to_go(inside: Run, tmp_path: Path) -> None:
    done = inside("bench", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "iolab: no docker-compose.yml here or above: run this inside the lab's folder\n",
    )


def test_report_without_a_run_says_what_to_do(inside: Run, tmp_path: Path) -> None:
    done = inside("report", str(tmp_path))
    assert done.returncode == 2
    assert "is not a run folder" in done.stderr


def test_doctor_and_help_always_answer(inside: Run) -> None:
    assert "Docker is not installed" in inside("doctor", variables={"PATH": "/nowhere"}).stdout
    assert inside("--help").returncode == 0


@pytest.mark.load
@pytest.mark.bounds
def test_so_many_users_for_so_long_are_a_run_like_any_other(inside: Run, results: Path) -> None:
    done = inside("locust", "--runtime", "local", "--models", "C", "--users", "20", "--time", "2s")
    assert done.returncode == 0, done.stderr
    (cell,) = latest(results, "summary.json")["cells"]
    assert (cell["model"], cell["concurrency"], cell["requested"]) == ("C", 20, 2000)
    assert cell["median_ms"] < 60
    run = latest(results, "run.json")
    assert run["generator"] == "locust"
    assert 1.5 < json.loads((results / "latest" / "trials.jsonl").read_text())["duration_s"] < 10
    assert (results / "latest" / "report.html").is_file()


def test_one_server_at_a_time_is_asked_by_so_many(inside: Run) -> None:
    for arguments, words in ((("--models", "all"), "one server at a time"), (("--time", "2h"), "at most 3600s")):
        done = inside("locust", "--runtime", "local", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr
