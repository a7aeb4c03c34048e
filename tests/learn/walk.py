"""Does the whole course as a student does: types the blocks of the handout, clicks, and answers from its own evidence.

`make walk` runs it in a fresh copy of the checkout, with LAB_LANG, and shorter with QUICK=1. Answers are read as a student
reads them: with grep in the log, from the texts of hey, from summary.json.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from iolab.learn import plan, values
from iolab.learn.plan import Step
from iolab.learn.texts import Language, Texts
from tests.mutate import copied
from tests.waiting import wait_until

BLOCK = re.compile(r"^```sh( server)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOLUTION = Path(__file__).parents[1] / "data" / "yours" / "server_yours.py"
LIMIT_S = 600.0
APP = 8079
CLICKED = 'services/streamlit/balloons.py"'
SHORT = {"make bench": {"REPEATS": "2"}, "make crowd": {"QUICK": "1"}, "make chess": {"QUICK": "1"}}


class Walk:
    """A student in a folder."""

    def __init__(
        self, root: Path, language: Language = "en", student: str = "b10901042", *, short: bool = False
    ) -> None:
        self.root, self.texts, self.plan = root, Texts(root, language), plan.read_plan(root)
        self.values = values.of(plan.read_course(root).term, student)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        passed = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_"))
        }
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        self.variables = {**passed, **proxies, **kept, "RUNTIME": "local", "LAB_LANG": language}
        self._short = SHORT if short else {}
        self.said: list[tuple[str, float]] = []  # each block, and how long it took
        self._server: subprocess.Popen[bytes] | None = None

    def all(self) -> str:
        """Do all steps; return what `make submit` printed."""
        for step in self.plan:
            with self.part_of(step):
                self.step(step)
        return self.run("make submit")

    @contextmanager
    def part_of(self, step: Step) -> Iterator[None]:
        """End the server when the last step of a part is done, or the walk fails."""
        last = [each for each in self.plan if each.part == step.part][-1]
        try:
            yield
        except BaseException:
            self.end_server()
            raise
        if step == last:
            self.end_server()

    def step(self, step: Step) -> None:
        """Type the blocks of a step."""
        if step.id == "5.1":
            shutil.copy(SOLUTION, self.root / "services" / "yours" / SOLUTION.name)
        for server, code in BLOCK.findall(self.texts.sections[step.id].text):
            command = self.values.fill(code).strip()
            if server:
                self.end_server()
                self.start_server(command)
                if "strace" in command:
                    self.click()
                    self.end_server()
                continue
            for line in command.splitlines():
                if line == f"make answer STEP={step.id}":
                    self.run(line, self.answers(step))
                else:
                    if line.startswith("make bench"):
                        self.end_server()
                    self.run(line)

    def run(self, command: str, given: str = "") -> str:
        """Run a command as a shell does; its exit status must be 0."""
        begin = time.monotonic()
        short = next((found for name, found in self._short.items() if command.startswith(name)), {})
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.root, env={**self.variables, **short}, input=given, capture_output=True,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        self.said.append((command, time.monotonic() - begin))
        assert done.returncode == 0, f"{command}\n{given}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start_server(self, command: str) -> None:
        """Start a server in the second terminal, and wait until it listens."""
        self.said.append((command, 0.0))
        self._server = subprocess.Popen(
            ["sh", "-c", command], cwd=self.root, env=self.variables, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._listens, 60)

    def _listens(self) -> bool:
        assert self._server
        assert self._server.poll() is None, "it has ended"
        family = [psutil.Process(self._server.pid), *psutil.Process(self._server.pid).children(recursive=True)]
        return any(each.status == psutil.CONN_LISTEN for process in family for each in process.net_connections("tcp"))

    def end_server(self) -> None:
        """Press Ctrl-C in the second terminal."""
        server, self._server = self._server, None
        if server:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                raise

    def click(self) -> None:
        """Wait, and click in a browser as often as this student has to."""
        time.sleep(10)
        command = [sys.executable, "-m", "tests.learn.click", str(APP), str(self.values.clicks)]
        subprocess.run(command, cwd=Path(__file__).parents[2], check=True, timeout=LIMIT_S)
        wait_until(self._answered)

    def _answered(self) -> bool:
        """Return whether the log has the answer to the last click."""
        log = (self.root / "mylab" / "trace.log").read_text(errors="replace")
        return "sendto(" in log.split(CLICKED)[-1] if log.count(CLICKED) == self.values.clicks else False

    def answers(self, step: Step) -> str:
        """Return what to type into `make answer`: a line for each value, then the text."""
        found = self.read(step)
        lines = [f"{found[ask.name]:.10g}" for ask in step.asks]
        if step.kind == "predict":
            lines.append("A guess, from what one request takes.")
        if step.kind == "explain":
            lines += [self.text(step), ""]
        return "\n".join(lines) + "\n"

    def read(self, step: Step) -> Mapping[str, float]:
        """Return the values that a step asks for, as this student reads them."""
        if step.kind == "predict":
            return {ask.name: 20.0 for ask in step.asks}
        if step.part == 1:
            found = {**self.log(), **(self.traced() if step.id == "1.8" else {})}
            return {**found, "fd": found["browser"]} if step.id == "1.5" else found
        if step.id == "2.3":
            return self.hey("A", 16)
        if step.id == "3.9":
            return {"inflight": self.values.rate * self.values.handling_ms / 1000}
        return {ask.name: self.cell(ask.fact) / ask.per for ask in step.asks}

    def log(self) -> dict[str, float]:
        """Read the log as the handout says: with grep."""
        lines = (self.root / "mylab" / "trace.log").read_text(errors="replace").splitlines()

        def line_of(pattern: str, begin: int = 0, *, up: bool = False) -> tuple[int, re.Match[str]]:
            places = range(begin, -1, -1) if up else range(begin, len(lines))
            return next((place, match) for place in places if (match := re.search(pattern, lines[place])))

        bind, match = line_of(r"bind\((\d+), .*htons\(8079\)")
        fd = match[1]
        listen, _ = line_of(rf"listen\({fd},")
        add, epoll = line_of(rf"epoll_ctl\((\d+), EPOLL_CTL_ADD, {fd},")
        stream, socket = line_of(r"recvfrom\((\d+), .*_stcore/stream")
        accept, _ = line_of(rf"accept4.*= {socket[1]}\b", stream, up=True)
        if "accept4 resumed" in lines[accept]:
            thread = lines[accept].split()[0]
            accept, _ = line_of(rf"^{thread} .*accept4\(.*<unfinished", accept, up=True)
        opens = [
            place for place, line in enumerate(lines) if re.search(r'openat\(.*services/streamlit/balloons\.py"', line)
        ]
        found = {"fd": float(fd), "bind": bind, "listen": listen, "add": add, "epoll": float(epoll[1])}
        story = self.story()
        chain = next(each for each in story["opens"] if each["by"] == "script thread")
        click = story["clicks"][0]
        found |= {"wake": chain["wake_line"] - 1, "recv": chain["recv_line"] - 1, "clone": chain["clone_line"] - 1}
        found |= {"open": opens[0], "send": click["answer_line"] - 1}
        numbers = {name: value + (name not in ("fd", "epoll")) for name, value in found.items()}
        return {**numbers, "clicks": len(opens), "accept": accept + 1, "browser": float(socket[1])}

    def story(self) -> dict[str, Any]:
        """Return what `make trace LOG=` says, as JSON."""
        found: dict[str, Any] = json.loads(self.run(".venv/bin/iolab trace mylab/trace.log --json"))
        return found

    def traced(self) -> dict[str, float]:
        """Return the two numbers of step 1.8, from the text of `make trace`."""
        said = self.run("make trace LOG=mylab/trace.log")
        flat = " ".join(said.split())
        idle = re.search(r"woke ([\d.]+) times a second|\(([\d.]+) wake-ups a second\)", flat)
        asleep = re.search(r"idle for (?:at most )?([\d.]+)% of the time", flat)
        assert idle, said
        assert asleep, said
        return {"wakes": float(idle[1] or idle[2]), "asleep": float(asleep[1])}

    def hey(self, model: str, users: int) -> dict[str, float]:
        """Read a text of hey."""
        text = (self.root / "mylab" / f"hey-{model}-{users}.txt").read_text()
        number = {name: re.search(rf"{name}\D+?([\d.]+) secs", text) for name in ("Slowest:", "50%+ in")}
        responses = re.search(r"\[200\]\s+(\d+)", text)
        assert responses
        slowest, median = (float(match[1]) * 1000 for match in number.values() if match)
        return {"responses": float(responses[1]), "median": median, "slowest": slowest}

    def cell(self, fact: str) -> float:
        """Read a value of the newest run that has it, from summary.json."""
        prefix, model, *where, field = self.values.fill(fact).split(".")
        for path in sorted((self.root / "results").glob("2*/summary.json"), reverse=True):
            summary = json.loads(path.read_text())
            run = json.loads((path.parent / "run.json").read_text())
            for cell in summary["cells"]:
                named = {str(cell.get("concurrency")), str(cell.get("transport"))}
                if (
                    cell["model"] == model
                    and {*where} <= named
                    and self._is_of(prefix, run)
                    and cell.get(field) is not None
                ):
                    return float(cell[field])
        raise AssertionError(fact)

    def _is_of(self, prefix: str, run: Mapping[str, Any]) -> bool:
        server = run["experiment"].get("server", {})
        letters = {each["letter"] for each in run["models"]}
        if prefix in ("crowd", "chess"):
            return bool(run["kind"] == prefix)
        own = {
            "bench": letters >= {"A", "B", "C"},
            "backlog": server.get("backlog") == self.values.backlog,
            "pool": server.get("threads") == self.values.threads,
            "own": "Y" in letters,
        }
        return bool(run["kind"] == "closed" and own[prefix])

    def text(self, step: Step) -> str:
        """Return a text that cites two of the own numbers."""
        numbers: list[str] = []
        for prefix in step.cites:
            kind = prefix.partition(".")[0]
            if kind == "trace":
                numbers += [f"{value:g}" for value in (self.log()["bind"], self.log()["add"])]
            if kind == "hey":
                read = self.hey("A", 16)
                numbers += [f"{read['median']:.4g}", f"{read['slowest']:.5g}"]
            if kind in ("bench", "backlog", "pool"):
                users = self.values.users if kind == "pool" else 16
                model = prefix.split(".")[1]
                numbers += [
                    f"{self.cell(f'{kind}.{model}.{users}.{field}'):.6g}" for field in ("median_ms", "steady_rps")
                ]
            if kind == "crowd":
                numbers += [f"{self.cell('crowd.C.websocket.held'):g}"]
                numbers += [f"{self.cell('crowd.C.websocket.server_bytes_per_user') / 1024:.3f}"]
        return f"My numbers say so: {', '.join(numbers)}."


def main() -> None:
    """Walk through the course, in a fresh copy of the checkout; raises AssertionError where a step does not agree."""
    language: Any = os.environ.get("LAB_LANG") or "en"
    with tempfile.TemporaryDirectory() as folder:
        walk, begin = Walk(copied(Path(folder)), language, short=bool(os.environ.get("QUICK"))), time.monotonic()
        try:
            said = walk.all()
        finally:
            for command, took_s in walk.said:
                sys.stdout.write(f"{took_s:7.1f} s  {command[:110]}\n")
            sys.stdout.write(f"{time.monotonic() - begin:7.1f} s  in all\n")
        sys.stdout.write(said)
        most = sum(plan.read_course(walk.root).points(each) for each in walk.plan if each.kind != "explain")
        assert said.count("\u2717") == 0, "a step does not agree"
        assert re.search(rf"\b{most:g}\D+{most:g}\b", said), "not all points of the machine"
        assert walk.texts.say("teacher_sees_none") in said, "a flag for honest work"
        assert [*walk.root.glob("lab-*.zip")]


if __name__ == "__main__":
    main()
