"""What the documents say is so: commands, options, ports, trees."""

import gzip
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click import Context
from rich.console import Console

from iolab import options, reference
from iolab.cli import main as cli
from iolab.kinds import registry
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.document import report
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from iolab.report import trace_terminal
from iolab.results.folder import RunFolder
from iolab.trace.lines import Lines
from iolab.trace.story import tell
from iolab.web.app import PORT
from tests.conftest import ROOT
from tests.rendered import terminal

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = list(reference.targets(MAKEFILE))


def test_the_readme_is_two_screens() -> None:
    assert len(README.splitlines()) <= 160
    assert max(len(line) for line in README.splitlines() if not line.startswith("|")) <= 120


def test_times_in_the_readme_s_path_are_those_of_the_help() -> None:
    times = dict(re.findall(r"^  make (\S+) +(\d+ \w+)  ", reference.help_text(MAKEFILE), re.MULTILINE))
    steps = re.findall(r"^\| \d \| .* \| (`make .*`) \| (.*?) \|", README, re.MULTILINE)
    assert len(steps) == 7
    for commands, taken in steps:
        names = re.findall(r"`make ([a-z-]+)", commands)
        if "trace" not in names:  # with CLICK=1 it starts the app first
            assert ", ".join(times[name] for name in names) == taken


def test_every_target_for_maintainers_is_in_contributing() -> None:
    documented = re.findall(r"^\| `make ([a-z-]+)`", CONTRIBUTING, re.MULTILINE)
    assert documented == [name for name, each in reference.targets(MAKEFILE).items() if each.group == "Maintain"]


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deploy/README.md",
        *(f"docs/{each.name}" for each in ROOT.glob("docs/*.md")),
        *(f"labs/{each.parent.name}/{each.name}" for each in ROOT.glob("labs/*/*.md")),
    ],
)
def test_every_command_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"(?:`|^)make ([a-z-]++)(?![A-Z])", text, re.MULTILINE)
    assert {name.removeprefix("help-") for name in named} <= {*TARGETS}
    for command in re.findall(r"`(?:\.venv/bin/)?iolab ([a-z-]+)", text):
        assert command in cli.commands.list_commands(Context(cli.commands))


def test_the_options_in_the_readme_are_those_of_bench_with_their_defaults() -> None:
    plan = registry.read(ROOT / "experiments" / "bench.toml", {}, ClosedExperiment)
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", README, re.MULTILINE))
    known = {each.variable: each.default(plan) for each in options.settings(ClosedExperiment)}
    assert len(documented) == 5
    for name, default in documented.items():
        assert default in (known[name], "the server's own"), name
    assert not known["BACKLOG"]


def test_make_alone_shows_what_the_registries_and_the_makefile_say_in_80_columns() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown == reference.help_text(MAKEFILE), "make reference"
    assert max(map(len, shown.splitlines())) <= reference.WIDTH
    assert re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE) == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_the_help_is_one_of_the_makefile(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


def test_every_command_has_a_target_of_its_name_and_its_options_are_shown_by_make() -> None:
    for name in cli.commands.list_commands(Context(cli.commands)):
        dry_run = ["make", "--dry-run", name, f"help-{name}"]
        made = subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert re.search(rf"/iolab {name}\b(?! --help).*\n.*/iolab {name} --help\n", made), made


@pytest.mark.parametrize(("experiment", "target"), registry.TARGETS.items())
def test_a_target_with_an_experiment_of_its_own_runs_it_unless_another_one_is_given(
    target: str, experiment: str
) -> None:
    dry_run = ["make", "--dry-run", target, f"help-{target}"]
    made = subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    given = 'EXPERIMENT="${EXPERIMENT:-experiments/%s.toml}" .venv/bin/iolab bench' % experiment  # noqa: UP031
    assert f"{given}\n{given} --help\n" in made


def test_ports_in_the_readme_are_those_of_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    table = README.split("| port | serves |")[1].split("\n\n")[0]
    documented = {int(port) for port in re.findall(r"\b\d{4}\b", table)}
    ports = {port.container for service in Lab.read(ROOT).services for port in service.ports}
    models = {model.port.container for model in Lab.read(ROOT).models}
    assert models | {PORT} <= documented <= ports | {PORT}  # that of the page, which is no container


def test_the_results_in_the_readme_are_those_of_a_run() -> None:
    """The recorded run has all files but the reports, which are made of them."""
    block = README.split("```text\nresults/")[1].split("```")[0]
    named = {line.split()[0].rstrip("/") for line in block.splitlines()[1:] if line.strip()}
    there = {path.name for path in (ROOT / "tests" / "data" / "runs" / "docker-bench").iterdir()}
    assert named == there | {"summary.json", "report.html", "report.md"}


def test_the_tree_in_contributing_is_the_real_tree() -> None:
    block = CONTRIBUTING.split("## The folders")[1].split("```")[1]
    entries = [line.split()[0] for line in block.splitlines()[1:] if line.strip()]
    assert all((ROOT / entry).exists() for entry in entries)
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    unlisted = folders - set(entries) - {"results/", "mylab/", "src/"}
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
        "OPEN_FILES",
        "LOADGEN_CPUSET",
        "TARGETS",
        "LOADS",
        "LAB_UID",
        "LAB_GID",
        "LOOP",
        "TRACE_LOG",
        "MASTER",
        "MASTER_PORT",
        "WORK_IN",
        "POOL",
        "WATCH_MS",
        "DOWNSTREAM_HOST",
        "CODESPACE_NAME",  # set in a codespace
    }
    ports = {f"{service.name.upper()}_PORT" for service in Lab.read(ROOT).services if service.ports}
    offered = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used - by_the_lab - ports <= offered
    arguments = {"BASE_IMAGE", "PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy"}
    assert offered - used == {*arguments, "LAB_PORT"}  # of builds, and of the page, which is no container


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_output_in_the_readme_is_that_of_the_recorded_run() -> None:
    run = analyse(RunFolder.open(ROOT / "tests" / "data" / "runs" / "docker-bench"))
    printed = "\n".join(line.rstrip() for line in terminal(report(run), 80).splitlines())
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


def test_the_line_that_removes_images_finds_all_of_them_and_no_other() -> None:
    pattern = README.split("docker image ls --quiet ")[1].split('"')[1]
    images = set(re.findall(r"image: (\S+)", (ROOT / "docker-compose.yml").read_text()))
    assert images
    assert all(fnmatch(image, pattern) for image in images)


def test_maintainer_s_targets_are_in_contributing() -> None:
    targets = set(re.findall(r"make ([a-z-]+)", reference.help_text(MAKEFILE).split("Maintain")[1]))
    assert targets - set(re.findall(r"make ([a-z-]+)", CONTRIBUTING)) == set()


def test_the_reference_is_that_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference.text(ROOT), "make reference"
