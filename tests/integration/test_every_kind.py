"""One short run of every kind of experiment, as local processes: it ends well, leaves its results, and nothing else.

What the figures show is asserted where there is time for them (make test-load); here runs stand beside each other.
"""

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from iolab.host import guardian as guardians
from iolab.kinds.crowd import run as crowd
from iolab.lab import Lab
from iolab.results.folder import RunFolder
from tests.conftest import Run, copied_lab
from tests.integration.test_local import nothing_serves
from tests.shortened import BREAK, CROWD, FAULTS, FREEZE, shortened


@dataclass(frozen=True)
class Kind:
    """How a kind is run, and what it leaves in its folder; `says` stands in what it prints."""

    arguments: tuple[str, ...]
    says: str
    leaves: tuple[str, ...] = ("run.json", "trials.jsonl", "summary.json", "report.html", "report.md")
    experiment: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)


CONSTANT = ("--wait-distribution", "constant")
KINDS = {
    "bench": Kind(("bench", "--models", "A,C", "--concurrency", "2", "--requests", "20", "--repeats", "1"), "C"),
    "pool": Kind(
        ("bench", "--models", "C", "--concurrency", "4", "--requests", "40", "--repeats", "1", "--downstream", "2"), "C"
    ),
    "queue": Kind(
        ("queue", "--models", "A", "--utilisation", "0.5", "--duration", "2s", "--wait-ms", "10", *CONSTANT),
        "A constant",
    ),
    "crowd": Kind(
        ("crowd", "--users", "9", "--models", "B,C", "--transport", "poll"),
        "Thread pool",
        experiment="crowd",
        changes=CROWD,
    ),
    "faults": Kind(
        ("faults", "--users", "30", "--models", "C"),
        "no click is lost",
        experiment="faults",
        changes={**FAULTS, "least_s = 8.0": "least_s = 0.5"},
    ),
    "chess": Kind(
        ("chess", "--models", "A,C", "--boards", "3", "--moves", "2", "--scale-ms", "1"),
        "board",
    ),
    "break": Kind(("break", "--cpus", "1", "--users", "4"), "loop"),
    "freeze": Kind(("freeze",), "omission"),
    "crosscheck": Kind(
        ("crosscheck", "--requests", "16", "--repeats", "1"),
        "C with 4 users",
        ("run.json", "trials.jsonl", "crosscheck.json", "report.html"),
    ),
    "locust": Kind(("locust", "--models", "C", "--users", "4", "--time", "1s"), "C"),
}


@pytest.fixture
def short_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lab whose experiments without an option for it are short."""
    monkeypatch.setattr(crowd, "CLICK_WAIT_S", 1.0)  # users that wait behind a pool never get an answer
    copy = copied_lab(tmp_path / "lab")
    shortened("freeze", copy / "experiments", FREEZE)
    one_cell = {'models = ["B", "C"]': 'models = ["C"]', "concurrency = [4, 16]": "concurrency = [4]"}
    shortened("crosscheck", copy / "experiments", one_cell)
    text = shortened("break", copy / "experiments", BREAK).read_text()
    first_two = "[[broken.strategies]]".join(text.split("[[broken.strategies]]")[:3])
    (copy / "experiments" / "break.toml").write_text(first_two)
    return copy


MARKS = {
    "crosscheck": [pytest.mark.load],  # a closed loop like bench's, and so is locust's
    "locust": [pytest.mark.load],
    "freeze": [pytest.mark.measures],  # it says "omission" only if the two ways of counting differ that much
}


def children(but_of: AbstractSet[int] = frozenset()) -> set[int]:
    """Return the processes under this one, without the guardian, which ends with it, and without those of others.

    A browser that an earlier test has opened starts processes whenever it likes.
    """
    guardian, found = str(Path(guardians.__file__)), set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if guardian not in child.cmdline() and but_of.isdisjoint(parent.pid for parent in child.parents()):
                found.add(child.pid)
    return found


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [])) for name in KINDS])
def test_a_short_run_ends_well_and_leaves_its_results_alone(
    inside: Run, lab: Lab, short_lab: Path, tmp_path: Path, name: str
) -> None:
    kind = KINDS[name]
    more: tuple[str, ...] = ()
    if kind.experiment:
        more = ("--experiment", str(shortened(kind.experiment, tmp_path, kind.changes)))
    before = children()
    done = inside(*kind.arguments, "--runtime", "local", *more, cwd=short_lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kind.says in done.stdout
    folders = [each.path for each in RunFolder.newest_first(tmp_path / "results")]
    assert (tmp_path / "results" / "latest").resolve() == folders[0].resolve()
    index = (tmp_path / "results" / "index.html").read_text()
    assert re.findall(r'href="([^"/]+)/report.html"', index) == [path.name for path in folders]
    left = {path.name for folder in folders for path in folder.iterdir()}
    assert left >= set(kind.leaves)
    for folder in folders:
        for path in folder.glob("*.json"):
            json.loads(path.read_text())
        for path in folder.glob("*.html"):
            assert path.read_text().rstrip().endswith("</html>")
        for path in folder.glob("trials.jsonl"):
            trials = [json.loads(line) for line in path.read_text().splitlines()]
            assert trials
            assert all(trial["valid"] for trial in trials)
    assert nothing_serves(lab)
    assert children(but_of=before) <= before


def test_a_short_search_for_an_objective(inside: Run, tmp_path: Path) -> None:
    """Half a second at each rate decides little; rates that differ by less than double are not told apart."""
    short = {"least_s = 2.0": "least_s = 0.5", "most_s = 4.0": "most_s = 0.5", "within = 0.5": "within = 1.0"}
    given = ("--experiment", str(shortened("slo", tmp_path, short)), "--quick")
    done = inside("slo", "p50<500ms", "--runtime", "local", "--models", "A", "--wait-ms", "10", *given)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-slo")
    left = {"run.json", "trials.jsonl", "samples", "summary.json", "report.html", "report.md"}
    assert {path.name for path in folder.iterdir()} == left
    (found,) = json.loads((folder / "summary.json").read_text())["cells"]
    assert found["rates"]
    assert found["holds_rps"] is None or found["fails_rps"] is None or found["holds_rps"] < found["fails_rps"]
    assert "p50<500ms" in done.stdout


@pytest.mark.needs("strace")
def test_a_server_under_strace(iolab: Run) -> None:
    done = iolab("trace", "--runtime", "local", "--service", "asyncio", "--json")
    assert done.returncode == 0, done.stderr
    (costs,) = json.loads(done.stdout)
    assert (costs["service"], costs["requests"], costs["threads"]) == ("asyncio", 16, 1)
