"""What the commands of the small kinds make of EXPERIMENT and RESUME, before anything starts."""

from pathlib import Path

import pytest

from tests.conftest import ROOT, Run

COMMANDS = ("freeze", "break", "chess")
BENCH = str(ROOT / "experiments" / "bench.toml")
RECORDED = ROOT / "tests" / "data" / "runs" / "docker-bench"
CHANGES = {"freeze": ("--models", "A"), "break": ("--users", "4"), "chess": ("--boards", "2")}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("by_option", [True, False])
def test_an_experiment_of_another_kind_is_refused_in_one_line(inside: Run, command: str, by_option: bool) -> None:
    if by_option:
        done = inside(command, "--experiment", BENCH, "--runtime", "local")
    else:
        done = inside(command, "--runtime", "local", variables={"EXPERIMENT": BENCH})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"bench.toml is of kind closed: make bench EXPERIMENT={BENCH}" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_to_go_on_with_is_of_that_kind_and_stays_as_it_began(inside: Run, command: str, tmp_path: Path) -> None:
    for resumed, more, said in (
        (tmp_path, (), "is not a run folder"),
        (RECORDED, (), "is of kind closed: make bench RESUME="),
        (RECORDED, CHANGES[command], "leave out what would change it"),
    ):
        done = inside(command, "--resume", str(resumed), "--runtime", "local", *more)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
