"""A variable on make's command line that a command does not take is refused; others may be anything."""

import click
import pytest

from iolab.cli import main as cli
from iolab.cli import variables as cli_variables
from iolab.errors import UsageError


def command(name: str) -> click.Command:
    found = cli.commands.get_command(click.Context(cli.commands), name)
    assert found
    return found


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ("", []),
        ("n", []),
        (" -- CPUS=2", ["CPUS"]),
        ("s -j4 -- CPUS=0.25\\ 1 MODELS=A", ["CPUS", "MODELS"]),
        (" -- RUN=a\\ B=c", ["RUN"]),
        (" -- RUN=$$(x)\\ =", ["RUN"]),
        ("CPUS=2", ["CPUS"]),  # make 3.81
    ],
)
def test_names_are_read_from_what_make_hands_on(flags: str, names: list[str]) -> None:
    assert cli_variables.typed(flags) == names


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("locust", "MODEL=A", "MODEL: make locust does not take it: did you mean MODELS?"),
        ("bench", "CPU=2", "CPU: make bench does not take it: did you mean CPUS?"),
        ("slo", "CONCURRENCY=4", "CONCURRENCY: make slo does not take it; it takes "),
        ("chess", "WAIT_MS=5", "WAIT_MS: make chess does not take it"),
        *((name, "DOWNSTREAM=8", f"DOWNSTREAM: make {name} does not take it") for name in ("chess", "crowd", "faults")),
        ("break", "DOWNSTREAM=8", "DOWNSTREAM: make break does not take it"),
        ("open", "RUN=x", "RUN: make open does not take it; it takes RESULTS"),
        ("crosscheck", "CPUS=2", "CPUS: make crosscheck does not take it"),
    ],
)
def test_what_a_command_does_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, flags: str, said: str
) -> None:
    monkeypatch.setenv("MAKEFLAGS", f" -- {flags}")
    with pytest.raises(UsageError) as refused:
        cli_variables.check(command(name))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("bench", "CPUS=2 MODELS=A QUICK=1 WAIT=1 ASYNCIO_PORT=9082 PYTHON=python3.13 BASE_IMAGE=x CA_FILE=y"),
        ("up", "CPUS=2 WAIT_MS=5 THREADS=16 LOADS=all BIND=0.0.0.0 COMPOSE_PROJECT_NAME=mine REMOTE_TARGETS=1"),
        ("trace", "CLICK=1 LOOP=uvloop CPU_MS=5"),
        ("trace", "CMD=x\\ -w\\ 2 PORT=8000 REQUESTS=5"),
        ("compare", "RUNS=a\\ b"),
    ],
)
def test_what_a_command_takes_is_not(monkeypatch: pytest.MonkeyPatch, name: str, flags: str) -> None:
    monkeypatch.setenv("MAKEFLAGS", f" -- {flags}")
    cli_variables.check(command(name))


def test_the_environment_may_have_any_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", "A")
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    cli_variables.check(command("locust"))
