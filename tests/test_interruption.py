"""Ctrl-C while `iolab` imports what it needs: no library reports it as an error of its own."""

import builtins
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from iolab import __main__ as begin
from iolab.cli import main as command_line


def interrupted(imports: Callable[..., Any]) -> Callable[..., Any]:
    """Return an import in which a signal comes, and which reports an interruption as pydantic does."""

    def importing(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("iolab.cli."):
            try:
                signal.raise_signal(signal.SIGINT)
            except BaseException as error:
                raise ValueError(f"a model of {name} is wrong: {error}") from error
        return imports(name, *arguments, **options)

    return importing


@pytest.mark.parametrize("command", ["bench", "report"])
@pytest.mark.parametrize(
    ("place", "name", "imports"),
    [(command_line, "import_module", import_module), (builtins, "__import__", builtins.__import__)],
    ids=["a command", "the command line"],
)
def test_an_interruption_waits_for_the_end_of_an_import(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, imports: Callable[..., Any], command: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["iolab", command, "--no-such-option"])
    monkeypatch.setattr(place, name, interrupted(imports))
    with pytest.raises(SystemExit) as ended:
        begin.main()
    assert ended.value.code == 130
