"""A run that is kept in the checkout, such as a recorded one, is left as it is: its report goes to the results."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, copied_lab
from tests.kinds.recordings import one_cell

pytestmark = [pytest.mark.load, pytest.mark.usefixtures("undrawn")]  # each makes reports, some more than once
NAME = "tests/data/runs/docker-bench"
REPORTS = {"summary.json", "report.md", "report.html"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the lab with a recorded run, of which one cell is kept: no test here reads what the reports say of it."""
    folder = copied_lab(tmp_path / "lab")
    one_cell(folder / NAME)
    return folder


def state(folder: Path) -> dict[str, float]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("run", [NAME, "./tests/../tests/data/runs/docker-bench", "absolute"])
def test_the_report_of_a_recorded_run_leaves_no_file_in_the_checkout(inside: Run, checkout: Path, run: str) -> None:
    before = state(checkout)
    given = str(checkout / NAME) if run == "absolute" else run
    done = inside("report", variables={"RUN": given, "RESULTS": ""}, cwd=checkout)
    assert done.returncode == 0, done.stderr
    page = checkout / "results" / "reports" / NAME / "report.html"
    assert done.stdout.rstrip().splitlines()[-1] == f"Report: {page.as_uri()}"
    shutil.rmtree(checkout / "results", ignore_errors=False)
    assert state(checkout) | {".": 0} == before | {".": 0}


def test_every_command_that_works_on_runs_leaves_a_recorded_run_alone(inside: Run, checkout: Path) -> None:
    other = checkout / "tests" / "data" / "runs" / "other"
    shutil.copytree(checkout / NAME, other)
    before = state(checkout / "tests")
    for command in (
        ("report", NAME),
        ("export", NAME),
        ("explain", NAME, "C16"),
        ("compare", NAME, str(other)),
    ):
        done = inside(*command, variables={"RESULTS": ""}, cwd=checkout)
        assert done.returncode == 0, done.stderr
        assert state(checkout / "tests") == before, command
    made = checkout / "results" / "reports" / NAME
    assert {path.name for path in made.iterdir()} == REPORTS | {"export"}
    assert {path.name for path in (made / "export").iterdir()} == {"cells.csv", "trials.csv", "requests.csv"}
    assert not (checkout / "results" / "reports" / "tests" / "data" / "runs" / "other").exists()


def test_its_page_says_where_the_raw_data_are(inside: Run, checkout: Path) -> None:
    inside("report", NAME, variables={"RESULTS": ""}, cwd=checkout)
    for name in ("report.html", "report.md"):
        text = (checkout / "results" / "reports" / NAME / name).read_text()
        assert f"The raw data are in {NAME}: run.json" in text
        assert "the folder of this file" not in text


def test_reports_are_no_run_of_the_page_of_all_runs(inside: Run, checkout: Path) -> None:
    shutil.copytree(checkout / NAME, checkout / "results" / "20260101T000000Z-bench")
    (checkout / "results" / "latest").symlink_to("20260101T000000Z-bench")
    assert inside("report", NAME, variables={"RESULTS": ""}, cwd=checkout).returncode == 0
    assert inside("report", variables={"RESULTS": ""}, cwd=checkout).returncode == 0
    done = inside("open", variables={"RESULTS": "", "DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}, cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("where", ["results", "mine", "outside"])
def test_a_run_of_the_user_keeps_its_report(inside: Run, checkout: Path, tmp_path: Path, where: str) -> None:
    """The results, another folder of results (it has `latest`), and a folder that is not in the checkout."""
    folder = (tmp_path if where == "outside" else checkout) / where / "20260101T000000Z-bench"
    shutil.copytree(checkout / NAME, folder)
    if where == "mine":
        (folder.parent / "latest").symlink_to(folder.name)
    for variables in ({"RESULTS": ""}, {"RESULTS": str(folder.parent)}):
        done = inside("report", str(folder), variables=variables, cwd=checkout)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in folder.iterdir()} >= REPORTS
        assert "the folder of this file" in (folder / "report.md").read_text()
        for name in REPORTS:
            (folder / name).unlink()


def test_the_recorded_run_has_no_report_in_this_checkout() -> None:
    assert "tests/data" not in (ROOT / ".gitignore").read_text()  # such a file is seen, not hidden
