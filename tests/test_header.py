"""The header of a report: what was changed, the command that repeats it, what to run next; for every kind."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iolab import experiment_file, options, planning, reference
from iolab.cli import header as cli_header
from iolab.kinds import registry
from iolab.report.answers import HIDDEN
from iolab.report.document import Document
from iolab.results.folder import RunFolder
from iolab.results.run_info import RunInfo
from tests.conftest import RECORDED, ROOT
from tests.rendered import markdown, page, terminal
from tests.report.test_document import made

GIVEN: dict[str, dict[str, str]] = {
    "bench": {"MODELS": "C,A", "CPUS": "2", "PRECISION": "0.03", "BUDGET": "5m", "LOADGEN": "locust"},
    "cores": {"CPUS": "0.5,1", "SEED": "7"},
    "queue": {"UTILISATION": "0.5,0.9", "WAIT_DISTRIBUTION": "exponential", "DURATION": "90s"},
    "slo": {"SLO": "mean<50ms", "MODELS": "A"},
    "crowd": {"USERS": "50,60", "TRANSPORT": "poll", "GC_FREEZE": "0"},
    "faults": {"USERS": "500", "MODELS": "D"},
    "freeze": {"USERS": "8", "WAIT_MS": "5"},
    "break": {"USERS": "4", "CPU_MS": "7.5"},
    "chess": {"BOARDS": "12", "SCALE_MS": "10"},
}


def headed(folder: Path, name: str, given: dict[str, str], *, quick: bool = False, **changes: Any) -> Document:
    """Return the header of a run of experiments/NAME.toml with these variables."""
    path = ROOT / "experiments" / f"{name}.toml"
    settings = registry.kind(experiment_file.kind_of(path)).settings
    known = {each.variable: each for each in options.settings(settings)}
    read = {known[variable].name: known[variable].word.read(value) for variable, value in given.items()}
    plan = planning.plan(ROOT, path, settings.changes(read), settings, quick=quick)
    run = RunFolder.open(RECORDED).read_run()
    dumped = plan.experiment.model_dump(mode="json", by_alias=True) | changes
    told = {"kind": plan.experiment.kind, "experiment": dumped, "file": plan.file, "quick": plan.quick}
    told["changed"] = dict(plan.changed)
    made_folder = RunFolder(folder)
    made_folder.write_run(RunInfo.model_validate(run.model_dump(by_alias=True) | told))
    return cli_header.headed(made(), made_folder)


@pytest.mark.parametrize("name", GIVEN)
def test_a_run_of_the_file_has_no_changes_and_is_repeated_by_its_command(tmp_path: Path, name: str) -> None:
    document = headed(tmp_path, name, {})
    command = registry.KINDS[experiment_file.kind_of(ROOT / "experiments" / f"{name}.toml")].command
    default = registry.KINDS[experiment_file.kind_of(ROOT / "experiments" / f"{name}.toml")].experiment == name
    assert document.changed == []
    assert document.repeat == f"make {command if default else registry.TARGETS[name]}"
    assert document.repeat not in [command for command, _ in document.following]
    assert len(document.following) in {2, 3}


@pytest.mark.parametrize("name", GIVEN)
def test_changes_are_named_as_they_are_typed_and_the_command_has_them_all(tmp_path: Path, name: str) -> None:
    document = headed(tmp_path, name, GIVEN[name])
    assert dict(document.changed) == GIVEN[name]
    words = shlex.split(document.repeat)
    variables = dict(word.split("=", 1) for word in words[2:])
    variables.pop("EXPERIMENT", None)
    assert variables == dict(document.changed)


def test_a_quick_run_is_repeated_as_one_and_what_quick_changes_is_no_change(tmp_path: Path) -> None:
    assert headed(tmp_path, "bench", {}, quick=True).repeat == "make bench QUICK=1"
    assert headed(tmp_path, "bench", {"REPEATS": "2"}, quick=True).repeat == "make bench REPEATS=2 QUICK=1"


def test_the_header_is_the_same_wherever_the_report_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = headed(tmp_path, "bench", {"CPUS": "2"})
    monkeypatch.chdir(tmp_path)
    outside = cli_header.headed(made(), RunFolder(tmp_path))
    assert (outside.changed, outside.repeat) == ([("CPUS", "2")], "make bench CPUS=2")
    assert outside.following == inside.following


def test_an_experiment_of_one_s_own_is_named_in_the_command(tmp_path: Path) -> None:
    headed(tmp_path, "bench", {"CPUS": "2"})
    own = tmp_path / "mine.toml"
    own.write_text((ROOT / "experiments" / "bench.toml").read_text())
    run = RunFolder(tmp_path).read_run().model_copy(update={"file": str(own)})
    RunFolder(tmp_path).write_run(run)
    assert cli_header.headed(made(), RunFolder(tmp_path)).repeat == f"make bench EXPERIMENT={own} CPUS=2"


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_experiment_to_run_next_is_a_command_with_its_variables_and_says_what_it_does(kind: str) -> None:
    following = registry.KINDS[kind].following
    assert 2 <= len(following) <= 3
    targets = reference.targets((ROOT / "Makefile").read_text())
    for each in following:
        command, _, what = each.partition(": ")
        _, target, *variables = shlex.split(command)
        assert what
        assert target in targets
        for variable in variables:
            assert target in reference.variables()[variable.partition("=")[0]]
            if variable.startswith("EXPERIMENT="):
                assert (ROOT / variable.partition("=")[2]).exists()


def test_every_form_of_a_report_has_the_header() -> None:
    document = made(
        changed=[("CPUS", "2")], repeat="make slo SLO='p99<1s'", following=[("make queue", "planned arrivals")]
    )
    header = re.search(r'<p class="muted">(Changed.*?)</p>', page(document), re.DOTALL)
    assert header
    assert " ".join(header[1].split()) == (
        "Changed settings: <code>CPUS = 2</code>."
        " Repeat this run: <code>make slo SLO=&#39;p99&lt;1s&#39;</code>."
        " Next: <code>make queue</code> (planned arrivals)."
    )
    for line in (
        "Changed settings: `CPUS = 2`",
        "Repeat this run: `make slo SLO='p99<1s'`",
        "Next: `make queue` (planned arrivals)",
    ):
        assert line in markdown(document).splitlines()
    shown = terminal(document, 80)
    assert re.search(r"^Next:\n  make queue: planned arrivals\nReport: ", shown, re.MULTILINE)
    assert "Repeat this run" not in shown
    for text in (page(made()), markdown(made()), terminal(made(), 80)):
        assert not re.search("Changed settings|Repeat this run|Next:", text)


@pytest.mark.parametrize("status", ["partial", "failed"])
def test_a_run_that_ended_early_says_how_to_measure_the_rest(tmp_path: Path, status: Any) -> None:
    folder = tmp_path / "results" / "2026 a"
    folder.mkdir(parents=True)
    headed(folder, "bench", {"CPUS": "2"})
    run = RunFolder(folder).read_run().model_copy(update={"status": status})
    RunFolder(folder).write_run(run)
    document = cli_header.headed(made(lacks="It has 3 of 4 trials."), RunFolder(folder))
    assert (
        document.lacks
        == "It has 3 of 4 trials. To measure what is missing or not valid: make bench RESUME='results/2026 a'"
    )
    for text in (page(document), markdown(document), terminal(document, 200)):
        assert "RESUME=" in text
        assert text.index("RESUME=") < text.index("A explodes")
    RunFolder(folder).write_run(run.model_copy(update={"status": "complete"}))
    assert cli_header.headed(made(lacks=""), RunFolder(folder)).lacks == ""


def test_a_run_that_cannot_go_on_does_not_say_how(tmp_path: Path) -> None:
    headed(tmp_path, "faults", {})
    RunFolder(tmp_path).write_run(RunFolder(tmp_path).read_run().model_copy(update={"status": "partial"}))
    assert cli_header.headed(made(lacks="It has 3."), RunFolder(tmp_path)).lacks == "It has 3."


def test_a_run_of_the_course_is_repeated_as_one_and_has_no_changed_setting(tmp_path: Path) -> None:
    document = headed(tmp_path, "bench", {"COURSE": "1", "MODELS": "C"})
    assert document.changed == [("MODELS", "C")]
    assert document.repeat == "make bench MODELS=C COURSE=1"
    shown = cli_header.headed(replace(made(), course=HIDDEN), RunFolder(tmp_path))
    assert shown.course.endswith(f"make report RUN={tmp_path.parent.name}/{tmp_path.name} ANSWERS=1")
