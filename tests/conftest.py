"""What tests share: the lab, ports of their own, a command line of its own, an engine and a browser where there are some."""

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import Markup

from iolab.__main__ import main
from iolab.kinds.closed.cells import Analysis, analyse
from iolab.lab import Lab
from iolab.report import pages
from iolab.results.folder import RunFolder
from iolab.runtime.compose import Engine, find_engine
from tests import dealing, needs, own, tiers
from tests.own import free_ports

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "tests" / "data" / "runs" / "docker-bench"
PORT_VARIABLES = (  # of all that docker-compose.yml publishes, and of the model that tests add
    *re.findall(r"\$\{BIND:-127\.0\.0\.1\}:\$\{(\w+):-", (ROOT / "docker-compose.yml").read_text()),
    "FIFTH_PORT",
    "LAB_PORT",
)
OPTIONS = (
    "CPUS",
    "MODELS",
    "CONCURRENCY",
    "REQUESTS",
    "REPEATS",
    "LOADGEN",
    "RUNTIME",
    "WAIT_MS",
    "BACKLOG",
    "THREADS",
)


DISTURBANCES = {"stolen_time", "busy_machine"}
OF_THE_MACHINE = {"busy_elsewhere", "sibling_cores", "own_quota", "not_checked"}  # whatever is measured on it
EFFECTS = {"outlier_repeat", "first_run", "repeats_disagree", "littles_law"}


def undisturbed(found: Iterable[str]) -> set[str]:
    """Return findings without those of a machine that others share, and without what that causes, if it was seen."""
    ids = set(found) - OF_THE_MACHINE
    return ids - DISTURBANCES - EFFECTS if ids & DISTURBANCES else ids


def pytest_configure(config: pytest.Config) -> None:
    """Let children be interrupted, whatever the shell had set: `nohup make test &` passes, too."""
    own.hear_interrupts()
    gc.disable()  # while the tests are collected, nothing of them is garbage


def pytest_collection_finish() -> None:
    """Look for garbage again, but not in what was collected: it stays, and is most of all objects."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let parallel processes share what pytest makes of each file's assertions, which takes seconds in a fresh clone.

    Each imports another part of the files first, and finds the rest in the cache. What fails here fails again, and is
    told, when it is collected.
    """
    if worker := getattr(session.config, "workerinput", None):
        mine = int(worker["workerid"].removeprefix("gw"))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))[mine :: worker["workercount"]]:
            if tiers.may_have(path.read_text(), session.config.option.markexpr):
                with suppress(Exception):
                    import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files that have no test of the group that runs."""
    if collection_path.suffix != ".py" or tiers.may_have(collection_path.read_text(), config.option.markexpr):
        return None  # others decide
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Give tests the marks that follow from what they use, and deal out those that are selected.

    A hypervisor that keeps half of the CPU time for a minute is no fault of the lab's: a test that measures, or asserts
    a promised limit under load, has three tries; all others have one.

    Raises UsageError if the file of a test does not name its group as tests/tiers.py expects: it would not run.
    """
    for item in items:
        if item.get_closest_marker("measures") or item.get_closest_marker("bounds"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))
        if item.get_closest_marker("docker"):
            item.add_marker(pytest.mark.needs("docker"))
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.needs("browser"))
            if not item.get_closest_marker("docker"):
                item.add_marker(pytest.mark.load)
    texts = {path: path.read_text() for path in {item.path for item in items}}
    for item in items:
        for mark, spelt in tiers.SPELT.items():
            if item.get_closest_marker(mark) and not re.search(spelt, texts[item.path]):
                raise pytest.UsageError(f"{item.nodeid} has the mark {mark}, and its file does not say so: {spelt}")
    yield
    if worker := getattr(config, "workerinput", None):  # pytest-xdist's
        items[:] = dealing.dealt(items, worker["workercount"])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what is not here; where it is required, fail it."""
    for name in [name for mark in item.iter_markers("needs") for name in mark.args]:
        if reason := needs.missing(name):
            if needs.required(name):
                pytest.fail(f"IOLAB_REQUIRE={os.environ['IOLAB_REQUIRE']}, but {reason}", pytrace=False)
            pytest.skip(reason)


def why_again(report: Any) -> str:
    """Return the first line of what made a test fail, and where."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return "not known"
    return f"{next(iter(crash.message.splitlines()), '')} ({Path(crash.path).name}:{crash.lineno})"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which tests were tried again, and why; tests/tiers.py sums up what is counted here."""
    stats = terminalreporter.stats
    whys = {report.nodeid: why_again(report) for report in stats.get("rerun", ())}
    again = [f"{name}: {whys[name]}" for name in sorted(whys)]
    if again:
        terminalreporter.section("tried again")
        for name in again:
            terminalreporter.line(name)
    if path := os.environ.get("IOLAB_TEST_COUNTS"):
        kinds = {
            "passed": ("passed",),
            "failed": ("failed", "error"),
            "skipped": ("skipped",),
            "tried again": ("rerun",),
        }
        counts = {kind: sum(len(stats.get(key, ())) for key in keys) for kind, keys in kinds.items()}
        Path(path).write_text(json.dumps({"counts": counts, "again": again}))


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No option of the lab is set by whoever runs the tests."""
    for name in (*OPTIONS, *PORT_VARIABLES, "MAKEFLAGS"):
        monkeypatch.delenv(name, raising=False)


def port_variables() -> dict[str, str]:
    """Return free ports for everything that the lab starts."""
    ports = free_ports(len(PORT_VARIABLES))
    return {name: str(port) for name, port in zip(PORT_VARIABLES, ports, strict=True)}


@pytest.fixture
def lab(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The real lab, on free ports."""
    for name, port in port_variables().items():
        monkeypatch.setenv(name, port)
    return Lab.read(ROOT)


def copied_lab(folder: Path) -> Path:
    """Copy all that the command line needs of the lab: what is changed or written there is this test's alone."""
    folder.mkdir()
    for name in ("docker-compose.yml", "experiments", "labs", "loadtest", "services"):
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)
    return folder


def lab_with_a_fifth_model(folder: Path, server: str) -> Path:
    """Copy the lab, and add a model Z, `fifth`, whose server is this text: one folder and one block."""
    copied_lab(folder)
    (folder / "services" / "fifth").mkdir()
    (folder / "services" / "fifth" / "server.py").write_text(server)
    block = """
  fifth:
    <<: *server
    image: iolab-fifth
    build: { <<: *build, context: services/fifth }
    command: [python3, server.py]
    environment: { <<: *server-environment, PORT: 8091 }
    ports: ["${BIND:-127.0.0.1}:${FIFTH_PORT:-8091}:8091"]
    labels: { iolab.model: Z, iolab.title: Fifth, iolab.workers: inf }
"""
    compose = folder / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("\n  streamlit:", f"{block}\n  streamlit:", 1))
    return folder


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A Docker engine: for tests that need("docker")."""
    return find_engine()


@pytest.fixture(scope="session")
def recorded() -> Analysis:
    """The benchmark that is recorded in tests/data/runs/docker-bench, analysed; it cannot be changed."""
    return analyse(RunFolder.open(RECORDED))


@pytest.fixture(scope="session")
def recorded_page(recorded: Analysis) -> str:
    """Its report."""
    from iolab.kinds.closed import document  # noqa: PLC0415 (matplotlib: a second, which most test processes need not wait)

    return pages.render(document.report(recorded))


def python_path(first: Path) -> dict[str, str]:
    """Return the variable that lets Python look into this folder first, and then where this process is told to look."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(first), os.environ.get("PYTHONPATH")]))}


Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def starting(folder: Path, apart: Mapping[str, str] | None = None) -> Iterator[Start]:
    """Start `iolab` as a user would, in the lab's folder, with results and lock in `folder`; stop it at the end."""
    (folder / "tmp").mkdir()
    mine = {"RESULTS": str(folder / "results"), "TMPDIR": str(folder / "tmp"), "COMPOSE_PROJECT_NAME": own.mine().name}
    started: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: str, variables: Mapping[str, str] | None = None, cwd: Path = ROOT, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "iolab", *arguments],
            cwd=cwd,
            env={**os.environ, **mine, **(apart or {}), **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    try:
        yield begin
    finally:
        for process in started:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=60)


def to_the_end(start: Start) -> Run:
    """Return what runs `iolab` to its end."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


@pytest.fixture
def start(lab: Lab, tmp_path: Path) -> Iterator[Start]:
    """Start `iolab`; it is stopped at the end of the test."""
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture
def iolab(start: Start) -> Run:
    """Run `iolab` to its end."""
    return to_the_end(start)


@dataclass(frozen=True)
class Shared:
    """A command line whose results the tests of a module share: what one run shows need not be measured again."""

    start: Start
    results: Path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    with starting(folder, {**dict.fromkeys(OPTIONS, ""), **port_variables()}) as begin:
        yield Shared(begin, folder / "results")


@pytest.fixture
def inside(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `iolab` in this process: for what ends before anything starts, where starting Python would take longest."""

    def run(
        *arguments: str, variables: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in {"RESULTS": str(tmp_path / "results"), **(variables or {})}.items():
                patch.setenv(name, value)
            patch.setattr(tempfile, "tempdir", str(tmp_path))
            patch.setattr(sys, "argv", ["iolab", *arguments])
            patch.chdir(cwd)
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        if status == 128 + signal.SIGINT:
            raise KeyboardInterrupt  # the command has heard Ctrl-C, which was meant for the tests
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages have an empty drawing in each place of one: for tests that read text. Drawing takes most of a report."""
    monkeypatch.setattr(pages, "drawn", lambda svg: Markup('<svg role="img"></svg>') if callable(svg) else Markup(svg))


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A browser: for tests that need("browser")."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (as above)

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
