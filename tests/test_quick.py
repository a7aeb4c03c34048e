"""QUICK=1: every experiment has a form of at most 30 s of load, which options override; and the report says so."""

from pathlib import Path

import pytest

from iolab import experiment_file, planning
from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.report import run_report
from iolab.results.folder import RunFolder
from tests.conftest import RECORDED, ROOT, Run
from tests.shortened import shortened

MOST_S = 30.0
WITHOUT = {"crosscheck", "running"}  # it has no option for it; the time depends on a server that is not known
FILES = sorted(path for path in ROOT.glob("experiments/*.toml") if path.stem not in WITHOUT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_quick_form_of_every_experiment_takes_30_s_at_most_and_less_than_the_whole(path: Path) -> None:
    kind = registry.kind(experiment_file.kind_of(path))
    quick, whole = (planning.plan(ROOT, path, {}, kind.settings, quick=each) for each in (True, False))
    quick_s, whole_s = (kind.expected_s(each.experiment, each.models) for each in (quick, whole))
    assert quick_s is not None
    assert whole_s is not None
    assert 5 < quick_s <= MOST_S
    assert quick_s < whole_s
    assert (quick.quick, whole.quick) == (True, False)


def test_options_override_what_quick_says_and_tables_keep_their_other_keys() -> None:
    cores = ROOT / "experiments" / "cores.toml"
    read = registry.read(cores, {"repeats": 2, "load": {"generator": "locust"}}, ClosedExperiment, quick=True)
    assert (read.repeats, read.cpus) == (2, (0.25, 1.0))
    assert (read.load.requests, read.load.generator, read.server.backlog) == (96, "locust", 128)


def test_a_file_without_a_quick_form_is_refused_in_a_line(tmp_path: Path) -> None:
    path = shortened("crosscheck", tmp_path, {})
    with pytest.raises(UsageError, match=r"^QUICK=1: crosscheck\.toml has no table \[quick\], which says"):
        planning.plan(ROOT, path, {}, ClosedExperiment, quick=True)


def test_a_mistake_in_the_quick_form_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    path = shortened("bench", tmp_path, {"repeats = 1\n": "repeat = 1\n"})
    with pytest.raises(UsageError, match=r"^bench\.toml: repeat is not a setting of kind closed: it has"):
        registry.read(path, {}, ClosedExperiment, quick=True)
    assert registry.read(path, {}, ClosedExperiment).repeats == 3


def test_a_run_that_goes_on_is_as_quick_as_it_began(inside: Run) -> None:
    done = inside("bench", "--quick", "--resume", str(RECORDED), "--runtime", "local")
    assert done.returncode == 2
    assert "leave out what would change it" in done.stderr


def test_the_report_says_that_a_run_was_quick_and_on_which_machine() -> None:
    run = RunFolder.open(RECORDED).read_run()
    about = run_report.about(run, 24, "hey")
    assert "Quick run" not in about
    assert about.endswith("Machine: 2 cores of AMD EPYC, Linux 6.18.44-fc-v669, Python 3.11.7.")
    assert " Quick run: fewer requests, wider intervals. " in run_report.about(
        run.model_copy(update={"quick": True}), 24, "hey"
    )
    assert "Machine" not in run_report.about(run.model_copy(update={"environment": {}}), 24, "hey")
