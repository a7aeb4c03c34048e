"""What options of the command line can be: lists, shares, time spans."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from iolab.loadgen.workers import MASTER_PORT


class Words(click.ParamType[tuple[str, ...]]):
    """Words separated by commas or spaces, each of which `convert_one` understands."""

    def __init__(self, name: str, one: Callable[[str], Any], example: str) -> None:
        self.name, self._one, self._example = name, one, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the words as a tuple."""
        try:
            words = tuple(self._one(word) for word in re.split(r"[,\s]+", value.strip()) if word)
        except ValueError:
            words = ()
        if not words:
            self.fail(f"{value!r} must be {self._example}", param, ctx)
        return words


def share(text: str) -> float:
    """Return 3% or 0.03 as a number between 0 and 1; raises ValueError for what is none."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < value < 1:
        raise ValueError(text)
    return value


class Share(click.ParamType[float]):
    """A share such as 3% or 0.03."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share as a number between 0 and 1."""
        try:
            return share(str(value))
        except ValueError:
            self.fail(f"{value!r} must be a share, such as 3%", param, ctx)


class Span(click.ParamType[float]):
    """A time span such as 90s, 10m or 1h."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the span in seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([smh]?)\s*", str(value))
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
        if not 0 < seconds <= 86_400:
            self.fail(f"{value!r} must be a time, such as 90s or 10m", param, ctx)
        return seconds


runtime = click.option(
    "--runtime",
    envvar="RUNTIME",
    type=click.Choice(["auto", "docker", "local"]),
    default="auto",
    help="Where servers run.",
)
results = click.option(
    "--results", envvar="RESULTS", type=click.Path(path_type=Path), help="Where run folders go.  [default: results]"
)
resume = click.option(
    "--resume",
    envvar="RESUME",
    type=click.Path(path_type=Path),
    help="Go on with a run that was interrupted or failed.",
)
models = click.option(
    "--models",
    envvar="MODELS",
    type=Words("LIST", str, "names of models"),
    help="Letters or names; all of them otherwise.",
)
wait_ms = click.option("--wait-ms", envvar="WAIT_MS", type=float, help="The wait in a request.")
master_port = click.option(
    "--master-port",
    envvar="LOCUST_MASTER_PORT",
    type=click.IntRange(1, 65_535),
    default=MASTER_PORT,
    show_default=True,
    help="Where the master listens for load workers.",
)


def crew(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that say what sends arrivals, as one argument `crew`: what is given of a Crew."""

    @click.option(
        "--workers",
        envvar="WORKERS",
        type=click.IntRange(0, 64),
        help="Locust workers to start here; each sends its share.  [default: one process sends all]",
    )
    @click.option(
        "--join",
        envvar="JOIN",
        type=click.IntRange(0, 1000),
        help="Locust workers to wait for, which `make worker` starts on other machines.",
    )
    @click.option("--bind", envvar="BIND", default="", help="This machine's address, which those others reach.")
    @master_port
    @functools.wraps(command)
    def given(*, workers: int | None, join: int | None, bind: str, master_port: int, **others: Any) -> int:
        wanted: dict[str, Any] = {"workers": workers, "join": join}
        if join:  # else nothing comes from elsewhere, whatever the environment says for other commands
            wanted |= {"bind": bind, "port": master_port}
        return command(crew={name: value for name, value in wanted.items() if value is not None}, **others)

    return given
