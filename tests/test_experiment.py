import math
from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.experiment_file import kind_of
from iolab.kinds import registry
from iolab.kinds.closed.plan import expected_medians_s, rounded, trials
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from tests.conftest import ROOT

BENCH = ROOT / "experiments" / "bench.toml"


def read(**changes: Any) -> ClosedExperiment:
    return registry.read(BENCH, changes, ClosedExperiment)


def test_bench_is_what_the_course_asks_for() -> None:
    bench = read()
    assert (bench.concurrency, bench.load.requests, bench.repeats) == ((4, 16), 200, 3)
    assert bench.models == ("main",)
    assert bench.server.wait_ms == 20
    assert bench.server.backlog is None


def test_every_cell_comes_once_in_every_round_and_rounds_are_shuffled(lab: Lab) -> None:
    planned = trials(read(), lab.models)
    assert [trial.index for trial in planned] == list(range(24))
    rounds = [[(t.model, t.concurrency) for t in planned if t.repeat == repeat] for repeat in range(3)]
    assert all(len(set(one)) == 8 for one in rounds)
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
    assert rounds[0] != rounds[1]


def test_the_seed_decides_the_order(lab: Lab) -> None:
    assert trials(read(), lab.models) == trials(read(), lab.models)
    assert trials(read(seed=2), lab.models) != trials(read(seed=3), lab.models)


def test_requests_are_the_next_multiple_of_the_concurrency(lab: Lab) -> None:
    requests = {trial.concurrency: trial.requests for trial in trials(read(), lab.models)}
    assert requests == {4: 200, 16: 208}


@pytest.mark.parametrize(
    ("asked", "users", "sent"),
    [(200, 16, 208), (1_000_000, 7, 999_999), (1_000_000, 16, 1_000_000), (999_998, 7, 999_999), (1, 900, 900)],
)
def test_requests_are_never_rounded_above_the_rows_of_hey(lab: Lab, asked: int, users: int, sent: int) -> None:
    assert rounded(asked, users) == sent
    (trial,) = trials(read(concurrency=[users], load={"requests": asked}, repeats=1), lab.select(("C",)))
    assert trial.requests == sent


def test_the_shortest_expected_median_is_that_of_the_users_that_circulate(lab: Lab) -> None:
    medians_s = expected_medians_s(read(concurrency=[4, 16]), lab.models)
    found = {(trial.model, trial.concurrency): median_s for trial, median_s in medians_s.items()}
    assert (found["A", 4], found["A", 16]) == pytest.approx((0.08, 0.14))  # 7 users behind a backlog of 5
    assert (found["B", 4], found["B", 16]) == pytest.approx((0.02, 0.04))
    random = expected_medians_s(read(server={"wait_distribution": "exponential"}), lab.models)
    assert min(random.values()) == pytest.approx(0.02 * math.log(2))


def test_a_cell_is_measured_once_however_often_it_is_named() -> None:
    assert read(concurrency=[4, 4, 16]).concurrency == (4, 16)


def test_settings_become_the_variables_of_compose() -> None:
    assert ServerSettings().variables() == {
        "WAIT_MS": "20",
        "WAIT_DISTRIBUTION": "constant",
        "CPU_MS": "0",
        "BACKLOG": "",
        "THREADS": "8",
        "CONNECTION_LIMIT": "",
        "PROCESSES": "8",
        "REUSEPORT": "0",
        "PURE_PYTHON": "0",
        "DOWNSTREAM": "0",
    }
    assert ServerSettings(backlog=128, wait_ms=2.5).variables()["BACKLOG"] == "128"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"cpus": (0.0,)}, "CPUS=0: input should be greater than 0"),
        ({"cpus": (math.nan,)}, "CPUS=nan: input should be a finite number"),
        ({"repeats": 0}, "REPEATS=0: input should be greater than or equal to 1"),
        ({"server": {"backlog": 0}}, "BACKLOG=0: input should be"),
        ({"server": {"downstream": -1}}, "DOWNSTREAM=-1: input should be"),
        ({"load": {"generator": "ab"}}, "LOADGEN=ab: input should be 'auto', 'hey' or 'locust'"),
    ],
)
def test_what_the_user_gave_wrong_is_named_as_the_user_knows_it(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(**changes)
    assert str(caught.value).startswith(line)


def test_the_connections_of_a_variant_are_the_limit_of_its_prediction(lab: Lab) -> None:
    varied = read(vary=[{"name": "bare", "downstream": 0}, {"name": "pool", "downstream": 8}], concurrency=[16])
    assert varied.downstreams == (0, 8)
    medians_s = expected_medians_s(varied, lab.models)
    found = {(trial.model, trial.variant): median_s for trial, median_s in medians_s.items()}
    assert (found["C", "bare"], found["D", "bare"], found["B", "bare"]) == pytest.approx((0.02, 0.02, 0.04))
    assert (found["C", "pool"], found["D", "pool"], found["B", "pool"]) == pytest.approx((0.04, 0.04, 0.04))
    assert found["A", "pool"] == pytest.approx(0.14)


def test_a_server_without_a_pool_is_refused_where_requests_wait_downstream() -> None:
    path = ROOT / "experiments" / "bench.toml"
    for changes in ({"server": {"downstream": 8}}, {"vary": [{"name": "pool", "downstream": 8}]}):
        for letter, name in (("E", "prefork"), ("G", "uvicorn"), ("J", "node"), ("Y", "yours")):
            with pytest.raises(UsageError) as caught:
                planning.plan(ROOT, path, {"models": ["A", letter], **changes}, ClosedExperiment)
            assert str(caught.value) == (
                f"DOWNSTREAM=8: server {letter} ({name}) has no pool of connections to the downstream service:"
                " leave it out (MODELS)"
            )
        assert planning.plan(ROOT, path, {"models": ["A", "F", "H"], **changes}, ClosedExperiment).models
    assert planning.plan(ROOT, path, {"models": ["E"]}, ClosedExperiment).models


HEAD = 'schema = 2\nkind = "closed"\nname = "x"\nquestion = ""\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEAD + "concurrency = [4]\nconcurency = [5]",
            "x.toml: concurency is not a setting of kind closed: it has schema, kind,",
        ),
        (HEAD + "concurrency = [4]\n[crowd]\nlevels = [1]", "x.toml: crowd is not a setting of kind closed: it has"),
        (HEAD.replace("2", "1") + "concurrency = [4]", "x.toml: schema = 1: input should be 2"),
        (HEAD.replace('"x"', '"../x"') + "concurrency = [4]", "x.toml: name = '../x'"),
        (HEAD, "x.toml: concurrency is missing"),
        ("schema = [", "x.toml cannot be read"),
        ("schema = 2", "x.toml: kind is missing"),
        (
            'schema = 2\nkind = "clsoed"',
            "kind = 'clsoed': there is no such kind of experiment; there are closed, open,",
        ),
        (HEAD + "concurrency = [4]\nload = 3", "x.toml: load = 3"),
        (
            HEAD + "concurrency = [4]\n[server]\nwait = 3",
            "x.toml: server.wait is not a setting of kind closed: [server] has wait_ms, wait_distribution, cpu_ms,",
        ),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        registry.read(path, {"load": {}, "server": {}}, ClosedExperiment)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("experiments/*.toml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_lab_can_be_read_and_is_refused_by_the_commands_of_other_kinds(path: Path) -> None:
    name = kind_of(path)
    assert registry.read(path, {}, registry.kind(name).settings).name == path.stem
    for other in registry.KINDS:
        if other != name:
            with pytest.raises(
                UsageError, match=rf"is of kind {name}: make {registry.KINDS[name].command} EXPERIMENT="
            ):
                registry.read(path, {}, registry.kind(other).settings)


def test_variants_are_measured_beside_each_other(lab: Lab) -> None:
    varied = read(vary=[{"name": "short", "backlog": 5}, {"name": "long", "backlog": 1024}], models=["A"], repeats=1)
    planned = trials(varied, lab.select(["A"]))
    assert {(trial.concurrency, trial.variant) for trial in planned} == {
        (4, "short"),
        (4, "long"),
        (16, "short"),
        (16, "long"),
    }
    assert varied.settings("short").backlog == 5
    assert varied.settings("long").wait_ms == 20
    assert varied.settings().backlog is None
    assert read().variants == ("",)


@pytest.mark.parametrize(("file", "given"), [("backlog", {"backlog": 7}), ("cores", {"cpu_ms": 3.0})])
def test_an_option_that_the_experiment_varies_itself_is_refused(file: str, given: dict[str, Any]) -> None:
    ((name, value),) = given.items()
    path = ROOT / "experiments" / f"{file}.toml"
    with pytest.raises(
        UsageError, match=rf"^{name.upper()}={value:g}: {file}.toml varies this setting: leave it out, or give"
    ):
        registry.read(path, ClosedExperiment.changes(given), ClosedExperiment)
    assert registry.read(path, ClosedExperiment.changes({"threads": 3}), ClosedExperiment).server.threads == 3


def test_two_variants_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two variants have the same name"):
        read(vary=[{"name": "same"}, {"name": "same"}])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("seed = " + "9" * 5000, "cannot be read"),
        ("a = 1\na = 2", "cannot be read"),
    ],
)
def test_a_file_that_toml_cannot_read_is_refused_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as refused:
        kind_of(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": -1}, "SEED=-1"),
        ({"seed": 10**20}, "SEED="),
        (
            {"concurrency": tuple(range(1, 1001)), "repeats": 1000},
            "make 1,000,000 trials of each server: at most 10,000",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_before_it_is_planned(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        registry.read(ROOT / "experiments" / "bench.toml", changes, ClosedExperiment)
