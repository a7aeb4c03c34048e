"""What the documents say is so: commands, options, ports, trees."""

import gzip
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from rich.console import Console

from iolab import cli, reference
from iolab.cli_bench import bench
from iolab.cli_break import broken
from iolab.cli_chess import exhibition
from iolab.cli_crowd import crowd_command
from iolab.cli_faults import faults_command
from iolab.cli_live import up
from iolab.cli_locust import locust, worker
from iolab.cli_queue import queue, slo
from iolab.cli_runs import explain
from iolab.cli_trace import trace
from iolab.kinds import registry
from iolab.kinds.closed import terminal
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from iolab.live.app import LOOPS
from iolab.report import trace_terminal
from iolab.results.folder import RunFolder
from iolab.trace.lines import Lines
from iolab.trace.story import tell
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = README.split("## What you can type")[1].split("\n## ")[0]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)


def test_every_make_target_is_in_the_readme_and_every_one_there_exists() -> None:
    documented = re.findall(r"^\| `make ([a-z-]+)`", README, re.MULTILINE)
    assert sorted(documented) == sorted(TARGETS)


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deploy/README.md",
        *(f"docs/{each.name}" for each in ROOT.glob("docs/*.md")),
    ],
)
def test_every_command_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) <= set(TARGETS)
    for command in re.findall(r"`(?:\.venv/bin/)?iolab ([a-z-]+)", text):
        assert command in cli.COMMANDS


def test_every_option_of_bench_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", COMMANDS, re.MULTILINE)) == variables()


def variables() -> set[str]:
    """Return the variables that make hands to the command line."""
    options = (
        option
        for command in (
            *(bench, up, trace, queue, slo, crowd_command, faults_command),
            *(locust, worker, explain, exhibition, broken),
        )
        for option in command.params
    )
    return {str(option.envvar) for option in options if option.envvar} | {"LOG"}  # LOG is an argument


def test_defaults_in_the_readme_are_those_of_the_experiment() -> None:
    defaults = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", COMMANDS, re.MULTILINE))
    plan = registry.read(ROOT / "experiments" / "bench.toml", {}, ClosedExperiment)
    assert defaults["CPUS"] == f"{plan.cpus[0]:g}"
    assert defaults["CONCURRENCY"] == ",".join(map(str, plan.concurrency))
    assert defaults["REQUESTS"] == str(plan.load.requests)
    assert defaults["REPEATS"] == str(plan.repeats)
    assert defaults["WAIT_MS"] == f"{plan.server.wait_ms:g}"
    assert defaults["THREADS"] == str(plan.server.threads)
    assert defaults["SEED"] == str(plan.seed)


def test_make_alone_shows_every_target_and_option() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE) == TARGETS
    named = set(
        re.findall(
            r"\b[A-Z][A-Z_]+\b",
            shown.split("Options of bench")[1],
        )
    )
    assert named == variables()


def test_ports_in_the_readme_are_those_of_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    documented = {int(port) for port in re.findall(r"^\| (\d{4}) \|", README, re.MULTILINE)}
    assert documented <= {port.container for service in Lab.read(ROOT).services for port in service.ports}


def test_the_tree_in_the_readme_is_the_real_tree() -> None:
    block = README.split("## The code")[1].split("```")[1]
    entries = [line.split()[0] for line in block.splitlines()[1:] if line.strip()]
    assert all((ROOT / entry).exists() for entry in entries)
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    unlisted = folders - set(entries) - {"results/", "src/"}
    assert not unlisted


def test_every_module_is_in_contributing() -> None:
    listed = set(re.findall(r"`([a-z_*]+(?:\.py|/))`", CONTRIBUTING.split("## Adding a model")[0]))
    real = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "src" / "iolab").iterdir()
        if not path.name.startswith(("_", "py."))
    }
    assert not {name for name in real if not any(fnmatch(name, pattern) for pattern in listed)}


def test_the_experiment_in_contributing_is_one(tmp_path: Path) -> None:
    text = CONTRIBUTING.split("```toml")[1].split("```")[0]
    assert tomllib.loads(text)["name"] == "mine"
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert registry.read(path, {}, ClosedExperiment).server.backlog == 128


def test_every_variable_of_compose_is_in_env_example_or_set_by_the_lab() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    by_the_lab = {
        "SERVER_CPUSET",
        "LOADGEN_CPUSET",
        "TARGETS",
        "LAB_UID",
        "LAB_GID",
        "LOOP",
        "TRACE_LOG",
        "MASTER",
        "MASTER_PORT",
        "WORK_IN",
        "POOL",
        "WATCH_MS",
    }
    ports = {f"{service.name.upper()}_PORT" for service in Lab.read(ROOT).services if service.ports}
    offered = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used - by_the_lab - ports <= offered
    assert offered - used == {"BASE_IMAGE", "PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy"}  # build arguments


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_output_in_the_readme_is_that_of_the_recorded_run() -> None:
    run = analyse(RunFolder.open(ROOT / "tests" / "data" / "runs" / "docker-bench"))
    with open("/dev/null", "w") as nowhere:  # noqa: PTH123
        console = Console(width=80, record=True, file=nowhere)
        terminal.show(console, run, "results/latest")
    printed = "\n".join(line.rstrip() for line in console.export_text().splitlines())
    shown = README.split("```text\n Model")[1].split("```")[0]
    assert " Model" + shown.rstrip() in printed


def test_the_story_in_the_docs_is_that_of_the_recorded_log() -> None:
    text = (ROOT / "docs" / "trace.md").read_text()
    command = next(line for line in text.splitlines() if line.startswith("make trace LOG="))
    log = command.removeprefix("make trace LOG=")
    with (ROOT / log).open("rb") as file, gzip.open(file) as lines, Path("/dev/null").open("w") as nowhere:
        console = Console(width=100, record=True, file=nowhere, force_terminal=True)
        trace_terminal.show(console, tell(Lines(lines), log))
    printed = "\n".join(line.rstrip() for line in console.export_text().splitlines())
    blocks = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert blocks
    for part in blocks[0].split("\n   ...\n"):
        assert part.strip("\n") in printed


def test_the_remedy_to_remove_images_names_them_all() -> None:
    named = set(re.findall(r"\biolab-[a-z]+(?:-[a-z]+)?", README.split("## Away with it")[1].split("##")[0]))
    images = set(re.findall(r"image: (iolab-\S+)", (ROOT / "docker-compose.yml").read_text()))
    loops = {image.replace("${LOOP:-uvicorn}", loop) for image in images for loop in LOOPS}
    assert named == {image for image in loops if "$" not in image}


def test_the_reference_is_that_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference.text(Lab.read(ROOT)), "make reference"
