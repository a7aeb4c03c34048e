"""`make trace CMD="..." PORT=...`: any server under strace, with requests; each mistake is one line."""

import json
import re
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from iolab.errors import UsageError
from iolab.host import machine
from iolab.host.machine import Machine
from iolab.live import command
from iolab.live.command import Asked
from iolab.runtime import strace
from tests.conftest import Run, Start
from tests.own import free_ports
from tests.waiting import wait_until

needs_strace = pytest.mark.needs("strace")
SERVER = """\
import os, signal, sys
from http.server import HTTPServer, BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.end_headers()
    def log_message(self, *_): pass

port, pids, how = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
if "background" in how:  # as daemons do: the first process ends, the server leaves its session
    if os.fork():
        os._exit(0)
    os.setsid()
if "stubborn" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(pids, "w") as file:
    print(os.getpid(), sorted(set(os.environ) & {"CMD", "PORT", "REQUESTS", "MAKEFLAGS"}), sep="\\n", file=file)
address = "127.0.0.1"
if "elsewhere" in how:
    port = int(how[1])
server = HTTPServer((address, port), Handler)
if "ends" in how:
    server.handle_request()
    print("that is all")
    sys.exit(3)
server.serve_forever()
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "IDLE_S", 0.1)
    monkeypatch.setattr(command, "SETTLE_S", 0.1)
    monkeypatch.setattr(command, "GRACE_S", 1.0)


@pytest.fixture
def server(tmp_path: Path) -> str:
    """The command of a server, without its port."""
    (tmp_path / "server.py").write_text(SERVER)
    return f"{sys.executable} {tmp_path}/server.py"


def runs(pid: int) -> bool:
    """Say whether a process runs: the first process of a container may take its time to remove one that has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def told(tmp_path: Path) -> tuple[int, str]:
    """Return the process number that the server wrote, and which variables of ours it has."""
    pid, names = (tmp_path / "pid").read_text().splitlines()
    return int(pid), names


@needs_strace
@pytest.mark.parametrize("how", ["", "background", "background stubborn"])
def test_a_server_is_traced_asked_and_stopped(inside: Run, server: str, quick: None, tmp_path: Path, how: str) -> None:
    port = free_ports(1)[0]
    line = f"{server} {port} {tmp_path}/pid {how}"
    make = {"MAKEFLAGS": f" -- PORT={port} CMD=x REQUESTS=5", "CMD": line, "PORT": str(port), "REQUESTS": "5"}
    done = inside("trace", "--json", variables=make)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answers"] == {"200": 5}
    assert found["port"] == port
    assert found["error"] is None
    log = tmp_path / "results" / "trace" / f"log_cmd-{Path(sys.executable).name}.txt"
    lines = log.read_text().splitlines()
    assert sum("accept4(" in each and "= -1" not in each for each in lines) >= 5
    assert "+++" in lines[-1]  # strace saw the last process end: the log is complete
    pid, names = told(tmp_path)
    assert not runs(pid)
    assert names == "[]"  # what was given to make is not handed on to the server


@needs_strace
@pytest.mark.usefixtures("quick")
def test_a_server_that_its_shell_leaves_may_end_by_itself(inside: Run, server: str, tmp_path: Path) -> None:
    """A shell passes no signal on: its child is told to end before it is killed."""
    port = free_ports(1)[0]
    done = inside("trace", "--cmd", f"sh -c '{server} {port} {tmp_path}/pid; true'", "--port", str(port), "--json")
    assert done.returncode == 0, done.stderr
    pid = told(tmp_path)[0]
    log = (tmp_path / "results" / "trace" / "log_cmd-sh.txt").read_text()
    assert re.search(rf"^{pid} .*killed by SIGTERM", log, re.MULTILINE)
    assert not runs(pid)


@needs_strace
def test_the_story_the_page_and_the_log_are_named_and_an_older_log_stays(
    inside: Run, server: str, quick: None, tmp_path: Path
) -> None:
    for number in (1, 2):
        port = free_ports(1)[0]
        arguments = ("--cmd", f"{server} {port} {tmp_path}/pid", "--port", str(port), "--requests", str(number))
        done = inside("trace", *arguments)
        assert done.returncode == 0, done.stderr
    assert "2 requests at once: 2 answered with status 200." in done.stdout
    assert f"127.0.0.1:{port}" in done.stdout
    assert "balloons" not in done.stdout
    folder = tmp_path / "results" / "trace"
    name = Path(sys.executable).name
    assert f"trace-cmd-{name}.html" in done.stdout
    assert "2 requests at once to " in (folder / f"trace-cmd-{name}.html").read_text()
    assert len(list(folder.glob(f"log_cmd-{name}*.txt"))) == 2


@needs_strace
@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (1, "The server ended by itself (exit status 3; its last output: that is all)."),
        (2, "1 answered with status 200, 1 not answered ("),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_server_that_ends_by_itself_is_told(
    inside: Run, server: str, tmp_path: Path, requests: int, words: str
) -> None:
    port = free_ports(1)[0]
    line = f"{server} {port} {tmp_path}/pid ends"
    done = inside("trace", "--cmd", line, "--port", str(port), "--requests", str(requests))
    assert done.returncode == requests - 1, done.stderr  # 1: a request was not answered
    assert words in done.stdout


@needs_strace
@pytest.mark.bounds  # on a busy machine, a server may take longer than this test waits for it
def test_a_server_on_another_port_is_told_its_port(
    inside: Run, server: str, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "READY_LIMIT_S", 3.0)
    port, other = free_ports(2)
    done = inside("trace", "--cmd", f"{server} {port} {tmp_path}/pid elsewhere {other}", "--port", str(port))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"did not listen within 3 s on port {port}, but on {other}: give PORT={other}" in done.stderr
    assert not runs(told(tmp_path)[0])


@needs_strace
def test_a_server_that_does_not_listen_or_ends_at_once_is_one_line(
    inside: Run, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "READY_LIMIT_S", 0.5)
    port = free_ports(1)[0]
    for line, words in (
        ("sleep 60", f"CMD (sleep) did not listen within 0.5 s on port {port}"),
        ("sh -c 'echo one; echo no such module >&2; exit 7'", "CMD (sh) did not start: exit status 7; its last output: no such module"),
        ("true", "CMD (true) did not start: exit status 0; its last output: none"),
    ):  # fmt: skip
        done = inside("trace", "--cmd", line, "--port", str(port))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert words in done.stderr


@needs_strace
def test_a_taken_port_is_named(inside: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = inside("trace", "--cmd", "sleep 60", "--port", str(port))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {port} for CMD (sleep) is in use by " in done.stderr
    assert "another PORT" in done.stderr
    assert ".env" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cmd", "true"), "PORT is missing: CMD needs the port on which its server listens, such as PORT=8000"),
        (("--cmd", "no-such-program -w 2", "--port", "9"), "CMD: no-such-program: command not found"),
        (("--cmd", "/etc/passwd", "--port", "9"), "CMD: /etc/passwd: command not found"),
        (("--cmd", "sh -c 'x", "--port", "9"), "CMD=sh -c 'x: No closing quotation"),
        (("--cmd", " ", "--port", "9"), "CMD is empty"),
        (("--cmd", "true", "--port", "9", "--runtime", "docker"), "leave out RUNTIME=docker"),
        (("--cmd", "true", "--port", "9", "--click", "1"), "leave out the log, CLICK, LOOP and SERVICE"),
        (("--cmd", "true", "--port", "9", "log.txt"), "leave out the log, CLICK, LOOP and SERVICE"),
        (("--cmd", "true", "--service", "A"), "leave out the log, CLICK, LOOP and SERVICE"),
        (("--cmd", "true", "--port", "70000"), "70000 is not in the range"),
        (("--cmd", "true", "--port", "9", "--requests", "0"), "0 is not in the range"),
        (("--requests", "5"), "REQUESTS is the number of requests to a server of yours: add CMD"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, ...], words: str) -> None:
    done = inside("trace", *arguments)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert words in done.stderr


def test_an_empty_command_given_to_make_is_not_ignored(inside: Run) -> None:
    done = inside("trace", variables={"MAKEFLAGS": " -- CMD= PORT=8000", "CMD": "", "PORT": "8000"})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "CMD is empty" in done.stderr


def test_an_exported_port_is_not_that_of_the_apps_log(inside: Run, tmp_path: Path) -> None:
    """Servers read PORT: it may be exported for them. What is typed for make is meant."""
    log = tmp_path / "results" / "trace" / "log_streamlit.txt"
    log.parent.mkdir(parents=True)
    log.write_text("10 listen(3, 5) = 0\n")
    exported = {"PORT": "9", "REQUESTS": "5"}
    assert json.loads(inside("trace", "--json", variables=exported).stdout)["port"] == 8079
    typed = inside("trace", "--json", variables={"PORT": "9", "MAKEFLAGS": " -- PORT=9"})
    assert json.loads(typed.stdout)["port"] == 9
    assert json.loads(inside("trace", str(log), "--json", variables={"PORT": "9"}).stdout)["port"] == 9


def test_without_strace_or_permission_the_remedy_does_not_name_docker(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker has no image of the user's own server."""
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "true").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(bare))
    done = inside("trace", "--cmd", "true", "--port", "9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "strace is not installed: install it" in done.stderr
    (bare / "strace").write_text(
        "#!/bin/sh\necho 'strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted' >&2\nexit 1\n"
    )
    (bare / "strace").chmod(0o755)
    for place in (Machine(), Machine(ptrace_scope=2), Machine(container=True)):
        monkeypatch.setattr(machine, "read", lambda place=place: place)
        strace._tried.cache_clear()
        try:
            done = inside("trace", "--cmd", "true", "--port", "9")
        finally:
            strace._tried.cache_clear()
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "strace was refused (strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted): " in done.stderr
        assert "RUNTIME=docker" not in done.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    refused = strace.refusal(Machine(system="Darwin"), command.INSTEAD)
    assert refused == "strace exists on Linux only: use Linux in a virtual machine, or a codespace (docs/codespaces.md)"


@needs_strace
@pytest.mark.load
def test_an_interruption_leaves_no_process(start: Start, server: str, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    process = start("trace", "--cmd", f"{server} {port} {tmp_path}/pid background", "--port", str(port))
    wait_until((tmp_path / "pid").exists, limit_s=60)
    pid = int(wait_until((tmp_path / "pid").read_text).split()[0])
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not runs(pid)


def test_a_command_is_split_as_a_shell_does_and_its_program_must_be_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "serve").write_text("#!/bin/sh\n")
    (tmp_path / "serve").chmod(0o755)
    assert command.words("sh -c 'sleep 1' '~x'") == ["sh", "-c", "sleep 1", "~x"]
    assert command.words("~/serve ~/data") == [f"{tmp_path}/serve", f"{tmp_path}/data"]
    with pytest.raises(UsageError, match="command not found"):
        command.words("A=1 sh")
    assert command.log_name(["/usr/sbin/nginx", "-c", "x"]) == "log_cmd-nginx.txt"
    assert command.page_name(["../my server!"]) == "trace-cmd-my-server.html"
    assert command.log_name(["/.-"]) == "log_cmd-server.txt"


def test_how_requests_were_answered_is_a_sentence() -> None:
    def asked(answers: dict[str, int], ended: str | None = None) -> Asked:
        return Asked(Path("log"), 0, 1, Counter(answers), ended)

    assert asked({"200": 1}).sentence() == "1 request at once: 1 answered with status 200."
    mixed = asked({"503": 1, "connection refused": 2, "200": 13}, "exit status 1; its last output: none")
    assert mixed.sentence() == (
        "16 requests at once: 13 answered with status 200, 1 answered with status 503, 2 not answered (connection"
        " refused). The server ended by itself (exit status 1; its last output: none)."
    )
    assert mixed.unanswered == 2
    assert asked({"404": 3}).unanswered == 0
