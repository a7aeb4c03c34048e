"""Settings that do not go together, or that a kind would pass over, are refused in one line before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.experiment_file import document
from iolab.kinds import registry
from tests.conftest import ROOT, Run

EXPERIMENTS = ROOT / "experiments"
WAYS = document(EXPERIMENTS / "break.toml")["broken"]["strategies"]
LOOP, COMPUTE = (
    next(way for way in WAYS if way["work"] == work and way["place"] == "loop") for work in ("wait", "compute")
)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_what_is_recorded_of_an_experiment_is_read_again(path: Path) -> None:
    kind = registry.kind(document(path)["kind"])
    settings = registry.read(path, {}, kind.settings)
    assert kind.settings.model_validate(settings.model_dump(mode="json", by_alias=True)) == settings


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("freeze", {"freeze": {"after_s": 9}}, "[freeze]: after_s = 9 and for_s = 2 reach the end of run_s = 10"),
        ("freeze", {"freeze": {"run_s": 6}}, "[freeze]: after_s = 4 and for_s = 2 reach the end of run_s = 6"),
        ("crowd", {"crowd": {"most": 10_000}}, "[crowd]: most = 10000 must be above 10000, the most users"),
        ("faults", {"crowd": {"processes": 2}}, "crowd.processes is not a setting of kind faults: [crowd] has transports, connect_rps"),
        ("faults", {"crowd": {"most": 2000}}, "crowd.most is not a setting of kind faults"),
        ("faults", {"crowd": {"busy_s": 2}}, "crowd.busy_s is not a setting of kind faults"),
        ("faults", {"crowd": {"users": [100, 1000]}}, "USERS=[100, 1000]: list should have at most 1 item"),
        ("faults", {"crowd": {"users": [10]}}, "faults.toml: [faults] stuck = 10 of 10 users (USERS): some must go on reading"),
        ("queue", {"arrivals": {"process": "trace"}}, '[arrivals]: process = "trace" needs a file'),
        ("queue", {"arrivals": {"trace": "came.txt"}}, '[arrivals]: trace = "came.txt" needs process = "trace"'),
        ("queue", {"arrivals": {"utilisation": {"A": [0.5], "Z": [0.5]}}}, "[arrivals.utilisation] Z: no model with a queue"),
        ("queue", {"arrivals": {"utilisation": {"C": [0.5]}}}, "[arrivals.utilisation] C: no model with a queue"),
        ("queue", {"load": {"bind": "192.0.2.1"}}, '[load]: bind = "192.0.2.1" is for workers of other machines'),
        ("slo", {"load": {"bind": "192.0.2.1"}}, '[load]: bind = "192.0.2.1" is for workers of other machines'),
        ("bench", {"budget_s": 60}, "bench.toml: budget_s = 60 (BUDGET) needs a precision"),
        ("break", {"models": ["A"]}, "MODELS=A: input should be 'main'"),
        ("break", {"server": {"cpu_ms": 0}}, "break.toml: computing in the loop computes, but [server] cpu_ms is 0"),
        ("break", {"broken": {"strategies": [LOOP, LOOP]}}, "two strategies of broken are named 'time.sleep in the loop'"),
        ("break", {"broken": {"strategies": [{**COMPUTE, "place": "await"}]}}, "computing cannot be awaited"),
        ("break", {"broken": {"strategies": [{**LOOP, "pool": 4}]}}, "pool = 4 is for threads or processes, not for loop"),
    ],
)  # fmt: skip
def test_a_contradiction_ends_in_a_line(name: str, changes: dict[str, Any], said: str) -> None:
    path = EXPERIMENTS / f"{name}.toml"
    with pytest.raises(UsageError) as refused:
        planning.plan(ROOT, path, changes, registry.kind(document(path)["kind"]).settings)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "{" not in str(refused.value)


def test_a_budget_without_a_precision_is_refused_by_its_own_name(inside: Run) -> None:
    done = inside("bench", "--runtime", "local", variables={"BUDGET": "60s"})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "(BUDGET) needs a precision, such as PRECISION=3%" in done.stderr
