"""Two settings in turn: their order, what is typed for each, and what is still to be measured of a series."""

import json
from pathlib import Path
from typing import Any

import pytest

from iolab import interleaved
from iolab.errors import UsageError
from iolab.interleaved import NAMES, Turn, check_differ, complete, folders, parsed, plan_of, plans, to_do, turns
from iolab.lab import Lab
from iolab.results import series as files
from iolab.results.folder import RunFolder
from iolab.results.series import Series, SeriesRun, SeriesSide
from tests.conftest import ROOT, Run
from tests.kinds.recordings import recording

BENCH = ROOT / "experiments" / "bench.toml"


def planned(a: str, b: str, rounds: int = 5, path: Path = BENCH, **common: Any) -> dict[Any, Any]:
    return plans(ROOT, path, {"A": parsed("A", a), "B": parsed("B", b)}, common, rounds)


def test_sides_alternate_in_which_is_first() -> None:
    assert "-".join(turn.side for turn in turns(3)) == "A-B-B-A-A-B"
    assert [turn.round for turn in turns(3)] == [1, 1, 2, 2, 3, 3]
    firsts = [turn.side for turn in turns(10)][::2]
    assert firsts.count("A") == firsts.count("B") == 5


def test_a_side_takes_the_variables_of_a_benchmark_and_a_runtime() -> None:
    found = parsed("A", 'BACKLOG=5 CPUS="0.25 1" RUNTIME=local LOADGEN=locust')
    assert found.settings == {"backlog": 5, "cpus": (0.25, 1.0), "loadgen": "locust"}
    assert found.runtime == "local"
    assert parsed("B", "") == interleaved.Given({}, None, frozenset())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("BACKLOGG=5", "A=BACKLOGG=5: BACKLOGG is no setting of a side: did you mean BACKLOG?"),
        ("COURSE=1", "A=COURSE=1: COURSE is no setting of a side: "),
        ("PRECISION=3%", "A=PRECISION=3%: PRECISION is no setting of a side: "),
        ("BACKLOG", "A=BACKLOG: BACKLOG needs a value, such as BACKLOG=5"),
        ("BACKLOG=5 BACKLOG=6", "A=BACKLOG=5 BACKLOG=6: BACKLOG is there twice"),
        ("BACKLOG=x", "A: BACKLOG=x: must be a whole number"),
        ("RUNTIME=x", "A: RUNTIME=x: must be auto, docker or local"),
        ("CPUS='1", "A=CPUS='1: No closing quotation"),
    ],
)
def test_a_mistake_in_a_side_is_named(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed("A", text)
    assert str(refused.value).startswith(why)


def test_each_side_has_its_own_settings_and_the_common_ones(lab: Lab) -> None:
    found = planned("BACKLOG=5", "BACKLOG=128 WAIT_MS=5", models=("A",), concurrency=(16,), requests=100)
    assert [found[name].experiment.server.backlog for name in NAMES] == [5, 128]
    assert [found[name].experiment.server.wait_ms for name in NAMES] == [20, 5]
    assert {found[name].experiment.load.requests for name in NAMES} == {100}
    assert found["A"].changed["BACKLOG"] == "5"
    assert "WAIT_MS" not in found["A"].changed
    assert {found[name].experiment.name for name in NAMES} == {"ab"}


def test_a_run_has_as_many_repeats_as_take_about_four_minutes(lab: Lab) -> None:
    small = planned("BACKLOG=5", "BACKLOG=128", models=("A",), concurrency=(16,))
    assert small["A"].experiment.repeats == 3
    large = planned("BACKLOG=5", "BACKLOG=128")
    assert large["A"].experiment.repeats == large["B"].experiment.repeats == 1
    assert 60 < 5 * sum(interleaved.expected_s(each) for each in large.values()) < 300
    assert planned("BACKLOG=5", "BACKLOG=128", repeats=2)["A"].experiment.repeats == 2
    own = planned("REPEATS=2", "REPEATS=4", models=("A",))
    assert [own[name].experiment.repeats for name in NAMES] == [2, 4]


@pytest.mark.parametrize(
    ("a", "b", "common", "why"),
    [
        ("BACKLOG=0", "", {}, "A: BACKLOG=0: input should be greater than or equal to 1"),
        ("", "MODELS=Z", {}, "B: MODELS=Z: no such model"),
        ("BACKLOG=5", "BACKLOG=6", {"backlog": 7}, "BACKLOG: A and B set it, so it cannot be common to both"),
        ("MODELS=A CPUS=1", "MODELS=C CPUS=2", {}, "A and B cannot be compared: their cells differ in more than one"),
        (
            "MODELS=A,B",
            "MODELS=C,D",
            {},
            "A and B cannot be compared: model A and B in the first and C and D in the second",
        ),
    ],
)
def test_what_could_not_be_measured_or_compared_is_refused_before(
    lab: Lab, a: str, b: str, common: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError) as refused:
        planned(a, b, **common)
    assert str(refused.value).startswith(why)


def test_one_setting_that_names_the_cells_can_be_a_side_s(lab: Lab) -> None:
    for a, b in (
        ("MODELS=A", "MODELS=C"),
        ("MODELS=A,B", "MODELS=C"),
        ("CPUS=1", "CPUS=2"),
        ("CONCURRENCY=4", "CONCURRENCY=16"),
    ):
        assert planned(a, b)["A"].experiment != planned(a, b)["B"].experiment
    swept = planned("CPUS=1", "CPUS=2", path=ROOT / "experiments" / "backlog.toml")
    assert len(swept["A"].experiment.variants) == 4


def test_the_same_settings_are_refused_whatever_is_typed(lab: Lab) -> None:
    same = planned("CPUS=1", "WAIT_MS=20")
    with pytest.raises(UsageError, match="A and B are the same settings: give what differs"):
        check_differ(same, {"A": "auto", "B": "auto"})
    check_differ(same, {"A": "docker", "B": "local"})


def series(results: Path, *runs: SeriesRun) -> Series:
    found = planned("BACKLOG=5", "BACKLOG=128", models=("A",))
    sides = [
        SeriesSide(
            given=f"BACKLOG={backlog}",
            experiment=found[name].experiment.model_dump(mode="json", by_alias=True),
            file=found[name].file,
            changed=dict(found[name].changed),
            runtime="local",
        )
        for name, backlog in (("A", 5), ("B", 128))
    ]
    return Series(a=sides[0], b=sides[1], rounds=2, runs=runs)


def test_a_series_goes_on_with_what_is_missing(lab: Lab, tmp_path: Path) -> None:
    done = recording("closed", tmp_path).path.rename(tmp_path / "done")
    cut = recording("closed", tmp_path).path.rename(tmp_path / "cut")
    begun = RunFolder.open(cut)
    begun.write_run(begun.read_run().model_copy(update={"status": "partial"}))
    given = [("A", 1, done), ("B", 1, cut), ("B", 2, tmp_path / "gone")]
    runs = [SeriesRun(side=side, round=number, run=path.name) for side, number, path in given]
    found = series(tmp_path, *runs)
    assert set(folders(tmp_path, found)) == {Turn("A", 1), Turn("B", 1)}
    assert set(complete(tmp_path, found)) == {Turn("A", 1)}
    left = [(turn, folder and folder.path.name) for turn, folder in to_do(tmp_path, found)]
    assert left == [(Turn("B", 1), "cut"), (Turn("B", 2), None), (Turn("A", 2), None)]
    assert plan_of(ROOT, found.a, begun).begun
    assert plan_of(ROOT, found.b).experiment.server.backlog == 128


def test_the_file_of_a_series_is_what_was_written_and_a_run_takes_the_place_of_another(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "ab" / "x.json"
    found = series(tmp_path).with_run(SeriesRun(side="A", round=1, run="one"))
    files.write(path, found)
    assert files.read(path) == found
    again = found.with_run(SeriesRun(side="A", round=1, run="other")).with_run(SeriesRun(side="B", round=1, run="b"))
    assert [(each.side, each.run) for each in again.runs] == [("A", "other"), ("B", "b")]
    run = again.run_of("B", 1)
    assert run
    assert run.run == "b"
    assert again.run_of("B", 2) is None


@pytest.mark.parametrize("text", ["{}", "not JSON", json.dumps({"schema": 1, "rounds": 2})])
def test_what_is_no_series_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not the file of a series of make ab"):
        files.read(path)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "say which two settings: make ab A="),
        (("--a", "BACKLOG=x"), "A: BACKLOG=x: must be a whole number"),
        (("--a", "CPUS=1"), "A and B are the same settings"),
        (("--a", "BACKLOG=5", "--rounds", "1"), "1 is not in the range 2<=x<=1000"),
        (("--a", "BACKLOG=5", "--cpus", "999"), "CPUS=999: this machine has"),
        (("--a", "BACKLOG=5", "--experiment", "experiments/crowd.toml"), "is of kind crowd"),
        (("--resume", "nowhere.json"), "RESUME=nowhere.json: No such file or directory"),
        (("--resume", "nowhere.json", "--a", "BACKLOG=5"), "RESUME goes on with the settings of that series"),
    ],
)
def test_a_mistake_ends_in_one_line_before_anything_is_measured(
    inside: Run, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    done = inside("ab", "--runtime", "local", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert why in done.stderr
    assert not (tmp_path / "results").exists()
