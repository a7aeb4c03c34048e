"""What is traced as local processes: needs strace, and the packages of Streamlit for the first run."""

import fcntl
import json
import os
import shutil
import signal
import socket
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from iolab.errors import UsageError
from iolab.host import machine
from iolab.host.machine import Machine
from iolab.lab import Lab
from iolab.live import app, service
from iolab.live.service import between, keep_older, switches
from iolab.runtime import strace as ptrace
from tests.conftest import ROOT, Run, Start
from tests.waiting import wait_until

needs_strace = pytest.mark.needs("strace")


@pytest.fixture
def streamlit() -> Path:
    """The Python of Streamlit's own environment; of the test processes, one at a time may make it."""
    with (Path(tempfile.gettempdir()) / f"iolab-tests-streamlit-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return app.environment(ROOT, "uvicorn", lambda _: None)


CONFIG = """\
[server]
port = 9
address = "192.0.2.1"
headless = false
runOnSave = true
fileWatcherType = "poll"
baseUrlPath = "abc"
[theme]
this is not TOML
"""


@pytest.mark.load
@needs_strace
@pytest.mark.parametrize("theirs", [False, True], ids=["plain", "settings of the user"])
def test_a_local_app_is_clicked_and_tells_a_proved_story(
    inside: Run, streamlit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    monkeypatch.setattr(app, "IDLE_S", 1.5)
    if theirs:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "config.toml").write_text(CONFIG)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in {"BASE_URL_PATH": "abc", "PORT": "9", "HEADLESS": "false", "ENABLE_STATIC": "x"}.items():
            monkeypatch.setenv(f"STREAMLIT_SERVER_{name}", value)
    done = inside("trace", "--runtime", "local", "--click", "2", "--json", "--html")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["proved"] is True
    assert found["clicks_visible"] == 2
    assert [step["status"] for step in found["steps"]] == ["proved"] * 6
    assert found["server"] == "uvicorn"
    assert (tmp_path / "results" / "trace" / "trace.html").is_file()
    assert not Path("/nonexistent").exists()  # the home that the app is given stays what it is
    again = inside("trace", str(tmp_path / "results" / "trace" / "log_streamlit.txt"), "--port", str(found["port"]))
    assert "✓ proved" in again.stdout


@pytest.mark.load
@needs_strace
@pytest.mark.measures
def test_the_cost_of_a_request_shows_the_mechanism_and_a_blocked_loop_a_long_turn(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shape only: one thread or many, which call waits, which server takes locks, and what a turn waits for."""
    monkeypatch.setattr(service, "SETTLE_S", 0.2)
    done = inside("trace", "--runtime", "local", "--service", "asyncio,blocking,threadpool,broken", "--json")
    assert done.returncode == 0, done.stderr
    costs = {each["service"]: each for each in json.loads(done.stdout)}
    turns = {name: each["longest_turn"] for name, each in costs.items()}
    assert turns["broken"]["blocker"] == "clock_nanosleep"
    assert turns["broken"]["seconds_in_calls"]["clock_nanosleep"] > 0.15
    assert turns["broken"]["seconds"] > 3 * turns["asyncio"]["seconds"]
    assert turns["asyncio"]["blocker"] != "clock_nanosleep"
    del costs["broken"]
    assert {name: each["threads"] for name, each in costs.items()} == {"blocking": 1, "threadpool": 9, "asyncio": 1}
    for each in costs.values():
        assert each["requests"] == 16
        assert 16 <= each["calls"]["accept4"] <= 40
        assert sum(each["switches"].values()) > 0
    assert costs["threadpool"]["calls"]["futex"] > 16
    assert "futex" not in costs["blocking"]["calls"]
    assert costs["blocking"]["calls"]["clock_nanosleep"] == 16
    assert "clock_nanosleep" not in costs["asyncio"]["calls"]
    assert "epoll_wait" in costs["asyncio"]["calls"]
    assert costs["blocking"]["seconds"] > 16 * 0.02
    # strace makes every call some ten times dearer, and so hides that C waits once and B twice.
    assert all(2 * costs[name]["seconds"] < costs["blocking"]["seconds"] for name in ("asyncio", "threadpool"))
    for name in costs:
        page = (tmp_path / "results" / "trace" / f"trace-{name}.html").read_text()
        assert "16 requests at once to server" in page
        assert "There was no click" not in page


@pytest.mark.load
@needs_strace
@pytest.mark.parametrize("arguments", [("--click", "20"), ("--service", "all")], ids=["streamlit", "server"])
def test_an_interruption_leaves_no_process(start: Start, streamlit: Path, arguments: tuple[str, ...]) -> None:
    process = start("trace", "--runtime", "local", *arguments)
    me, known = psutil.Process(process.pid), dict[int, psutil.Process]()
    # strace and what it traces: then what is to be stopped is there

    def is_traced() -> bool:
        known.update({child.pid: child for child in me.children(recursive=True)})
        return process.poll() is not None or any(traces(child) for child in known.values())

    wait_until(is_traced, limit_s=120)
    is_traced()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not [child for child in known.values() if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def traces(process: psutil.Process) -> bool:
    """Say whether this is strace, with something that it traces."""
    with suppress(psutil.Error):
        return name(process) == "strace" and bool(process.children())
    return False


def name(process: psutil.Process) -> str:
    """Return a process's name; none once it has ended."""
    with suppress(psutil.Error):
        return str(process.name())
    return ""


@pytest.mark.load
@needs_strace
def test_streamlit_that_dies_at_its_start_says_why(lab: Lab, streamlit: Path, tmp_path: Path) -> None:
    """Its own last words are shown: here the app's file is not there."""
    folder = tmp_path / "streamlit"
    shutil.copytree(ROOT / "services" / "streamlit", folder, ignore=shutil.ignore_patterns("streamlit_fun.py"))
    services = tuple(
        replace(service, folder=folder) if service.name == "streamlit" else service for service in lab.services
    )
    with (
        pytest.raises(UsageError, match=r"did not start: exit status \d+.*streamlit_fun\.py") as raised,
        app.here(replace(lab, services=services), "uvicorn", tmp_path / "log.txt", lambda _: None),
    ):
        pytest.fail("it runs")
    assert "\n" not in str(raised.value)


@needs_strace
def test_a_port_that_is_taken_is_named(inside: Run, lab: object) -> None:
    port = int(os.environ["STREAMLIT_PORT"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = inside("trace", "--runtime", "local", "--click", "1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {port} for the Streamlit app is in use" in done.stderr


@needs_strace
def test_a_click_needs_an_instruction_or_a_terminal(inside: Run) -> None:
    done = inside("trace", "--runtime", "local")
    assert done.returncode == 2
    assert "add CLICK=1" in done.stderr


def test_no_strace_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="strace is not installed: install it"):
        ptrace.check_strace()


def test_strace_that_may_not_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in that says what strace says where ptrace is refused."""
    fake = tmp_path / "strace"
    fake.write_text(
        "#!/bin/sh\necho 'strace: do_test_ptrace_get_syscall_info: PTRACE_TRACEME: Operation not permitted' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(machine, "read", lambda: Machine(container=True))
    ptrace._tried.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"PTRACE_TRACEME: Operation not permitted\): start .* SYS_PTRACE"):
            ptrace.check_strace()
    finally:
        ptrace._tried.cache_clear()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted", "SYS_PTRACE"),
        ("strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted", "SYS_PTRACE"),
        ("strace: test_ptrace_get_syscall_info: PTRACE_TRACEME: Function not implemented", "emulated"),
        ("something else went wrong", None),
    ],
)
def test_refusals_have_a_remedy(said: str, remedy: str | None) -> None:
    found = ptrace.explain(f"first line\n{said}\n")
    assert (found is None) == (remedy is None)
    if remedy and found:
        assert remedy in found
        assert said in found


def test_an_older_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log_asyncio.txt"
    for text in ("one", "two", "three"):
        keep_older(log)
        log.write_text(text)
        os.utime(log, (1_700_000_000, 1_700_000_000))
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["one", "three", "two"]


def test_switches_of_threads_that_started_or_ended_are_not_known() -> None:
    status = "Name:\tpython3\nPid:\t{}\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n"
    before, after = switches([status.format(1, 5, 1)]), switches([status.format(1, 9, 2)])
    found = between(before, after)
    assert found is not None
    assert (found.voluntary, found.involuntary) == (4, 1)
    assert between(before, {**after, **switches([status.format(2, 1, 1)])}) is None
