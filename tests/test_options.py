"""Options of the command line: what follows from a field of an experiment's settings, for every kind of experiment."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from iolab import options
from iolab.cli import main as cli
from iolab.errors import UsageError
from iolab.experiment import Settings
from iolab.kinds import registry
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.kinds.open.settings import OpenExperiment
from iolab.kinds.slo.settings import SloExperiment
from iolab.options import SHARE, Option, Setting
from tests.conftest import ROOT, Run

KINDS = sorted(registry.KINDS)
SHARED = {"experiment", "runtime", "results", "resume"}


class Table(Settings):
    for_s: Annotated[float, Field(gt=0, le=7200), Option("How long.")] = 90.0
    parts: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Option("Which.", "--shares", word=SHARE)] = ()
    one: Annotated[tuple[int, ...], Field(min_length=1, max_length=1), Option("One.", variable="THE_ONE")] = (7,)
    unset: Annotated[int | None, Field(ge=1), Option("None.", default="the server's own")] = None


class Example(Settings):
    size_ms: Annotated[float, Field(ge=0.5, le=1000), Option("How large.", unit="ms")] = 20.0
    both: Annotated[tuple[Literal["a", "b"], ...], Option("What.")] = ("a", "b")
    is_on: Annotated[bool, Option("On.")] = True
    hidden: int = 3
    table: Table = Table()


FOUND = {each.name: each for each in options.settings(Example)}


def test_flag_variable_and_place_follow_from_a_field() -> None:
    assert [(each.flag, each.variable, each.path) for each in FOUND.values()] == [
        ("--size-ms", "SIZE_MS", ("size_ms",)),
        ("--both", "BOTH", ("both",)),
        ("--is-on", "IS_ON", ("is_on",)),
        ("--for", "FOR", ("table", "for_s")),
        ("--shares", "SHARES", ("table", "parts")),
        ("--one", "THE_ONE", ("table", "one")),
        ("--unset", "UNSET", ("table", "unset")),
    ]


@pytest.mark.parametrize(
    ("name", "values", "text", "value"),
    [
        ("size_ms", "NUMBER", " 2.5", 2.5),
        ("both", "[a|b],...", "b a,b", ("b", "a", "b")),
        ("is_on", "[0|1]", "0", False),
        ("is_on", "[0|1]", "Yes", True),
        ("for", "TIME", "10m", 600.0),
        ("shares", "SHARE,...", "0.5, 80%", (0.5, 0.8)),
        ("one", "INTEGER", "12", (12,)),
        ("unset", "INTEGER", "4", 4),
    ],
)
def test_a_value_is_read_by_the_type_of_its_field(name: str, values: str, text: str, value: Any) -> None:
    assert FOUND[name].word.name == values
    assert FOUND[name].word.read(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("size_ms", text) for text in ("", "x", "1,2")),
        *(("both", text) for text in ("", ",", "a,c")),
        ("is_on", "maybe"),
        *(("for", text) for text in ("0s", "25h", "soon", "-1", "\u0661\u0660s")),  # Arabic digits
        *(("shares", text) for text in ("0", "1", "100%", "0.5,1.2", "nan", "0.\u0665")),
        ("one", "1,2"),
        ("unset", "1.5"),
    ],
)
def test_a_value_that_cannot_be_read_is_an_error(name: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each reader has its own text)
        FOUND[name].word.read(text)


def test_help_has_bounds_unit_and_the_default_of_the_experiment() -> None:
    assert [FOUND[name].help() for name in FOUND] == [
        "How large.  [0.5 to 1,000; default: 20 ms]",
        "What.  [default: a,b]",
        "On.  [default: 1]",
        "How long.  [above 0 and at most 2h; default: 90s]",
        "Which.",
        "One.  [default: 7]",
        "None.  [at least 1; default: the server's own]",
    ]
    experiment = Example(size_ms=3, table=Table(for_s=600, parts=(0.25,)))
    assert [FOUND[name].default(experiment) for name in ("size_ms", "for", "shares")] == ["3 ms", "10m", "0.25"]


def test_a_default_that_the_experiment_varies_is_all_its_values() -> None:
    backlog = registry.read(ROOT / "experiments" / "backlog.toml", {}, ClosedExperiment)
    known = {each.name: each.default(backlog) for each in options.settings(ClosedExperiment)}
    assert (known["backlog"], known["wait_ms"]) == ("5,16,128,1024", "20 ms")


def test_changes_have_the_tables_of_the_file_and_only_what_was_given() -> None:
    assert Example.changes({"size_ms": 0.0, "both": None, "for": 5.0, "one": (1,)}) == {
        "size_ms": 0.0,
        "table": {"for_s": 5.0, "one": (1,)},
    }
    assert Example.changes(dict.fromkeys(FOUND)) == {}


@pytest.mark.parametrize(
    ("settings", "given", "changes"),
    [
        (ClosedExperiment, {"loadgen": "hey"}, {"load": {"generator": "hey"}}),
        (OpenExperiment, {"trace": "f"}, {"arrivals": {"trace": "f", "process": "trace"}}),
        (OpenExperiment, {"utilisation": (0.5,)}, {"arrivals": {"every_utilisation": (0.5,)}}),
        (
            OpenExperiment,
            {"wait_distribution": "constant", "wait_ms": 5.0},
            {"server": {"wait_ms": 5.0}, "vary": [{"name": "constant", "wait_distribution": "constant"}]},
        ),
        (SloExperiment, {"wait_distribution": "constant"}, {"server": {"wait_distribution": "constant"}}),
        (CrowdExperiment, {"users": (5,)}, {"crowd": {"users": (5,), "most": 0}}),
        (SloExperiment, {"bind": "10.0.0.1", "master_port": 5557}, {}),  # `make up` has these variables, too
        (SloExperiment, {"bind": "10.0.0.1", "join": 0}, {"load": {"join": 0}}),
        (SloExperiment, {"bind": "10.0.0.1", "join": 2}, {"load": {"join": 2, "bind": "10.0.0.1"}}),
    ],
)
def test_what_follows_from_an_option_is_changed_with_it(
    settings: type[Settings], given: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert settings.changes(given) == changes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"process": "trace"}, "PROCESS=trace: give the file, with TRACE="),
        ({"process": "poisson", "trace": "f"}, "TRACE=f: PROCESS=poisson does not use a trace; leave one of them out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}$"):
        OpenExperiment.changes(given)


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_of_a_kind_are_told_apart_and_described(kind: str) -> None:
    found = list(options.settings(registry.kind(kind).settings))
    names = Counter([*(each.name for each in found), *SHARED])
    variables = Counter([*(each.variable for each in found), *(name.upper() for name in SHARED)])
    assert {max(names.values()), max(variables.values())} == {1}
    for each in found:
        assert each.option.help[0].isupper()
        assert each.option.help.endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_the_help_of_a_kind_s_command_has_every_option_with_its_default(kind: str, inside: Run) -> None:
    entry = registry.KINDS[kind]
    done = inside(entry.command, "--help")
    words = " ".join(done.stdout.split())
    experiment = registry.read(
        ROOT / "experiments" / f"{entry.experiment}.toml", {}, settings := registry.kind(kind).settings
    )
    for each in options.settings(settings):
        assert f"{each.flag}" in words
        assert " ".join(each.help(experiment).split()) in words
    assert f"{entry.title}." in words


def wrong(setting: Setting) -> str:
    """Return a value that no setting of that type takes."""
    return "0" if setting.word.name.startswith(("NUMBER", "SHARE")) else "?"


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_is_wrong_is_named_by_its_variable_in_one_line(kind: str, inside: Run, tmp_path: Path) -> None:
    for each in options.settings(registry.kind(kind).settings):
        if each.word.read is str or each.word.name.startswith(("NAME", "FILE", "ADDRESS")) or each.name == "cpu_ms":
            continue  # any text may be one, or 0
        variables = {"RESULTS": str(tmp_path / "results"), "RUNTIME": "local", each.variable: wrong(each)}
        done = inside(registry.KINDS[kind].command, variables=variables)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), each.variable
        assert done.stderr.startswith(f"iolab: {each.variable}={wrong(each)}: "), done.stderr
    assert not (tmp_path / "results").exists()


def test_the_list_of_commands_cuts_nothing_off() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iolab", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "60", "PYTHONPATH": str(ROOT / "src")},
    )
    words = " ".join(done.stdout.split())
    assert "..." not in words.partition("Options:")[2]
    for name, command in cli.table().items():
        assert f"{name} {command.title}" in words


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        ("crosscheck", {"REQUESTS": "0"}, "REQUESTS=0: input should be greater than or equal to 1"),
        ("locust", {"WAIT_MS": "0"}, "WAIT_MS=0: input should be greater than or equal to 0.1"),
        ("locust", {"USERS": "0"}, "USERS: 0 is not in the range"),
        ("locust", {"TIME": "soon"}, "TIME=soon: must be a time, such as 90s or 10m"),
        ("worker", {"MASTER": "10.0.0.1", "LOCUST_MASTER_PORT": "0"}, "LOCUST_MASTER_PORT=0: input should be"),
    ],
)
def test_commands_that_share_options_refuse_them_alike(
    command: str, variables: dict[str, str], said: str, inside: Run, tmp_path: Path
) -> None:
    done = inside(command, variables={"RUNTIME": "local", "RESULTS": str(tmp_path / "results"), **variables})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith(f"iolab: {said}")
    assert not (tmp_path / "results").exists()
