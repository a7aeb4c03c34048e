"""A mistake on the command line ends in one line that says what to type instead."""

import sys

import pytest

from iolab.cli import main as cli

OPTIONS = "iolab theory --help lists the options"
TAKES = "iolab theory --help shows what it takes"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("theory", "--bogus"), f"No such option '--bogus': {OPTIONS}"),
        (("theory", "--rat", "3"), f"No such option '--rat': did you mean --rate? {OPTIONS}"),
        (("theory", "foo"), f"Got unexpected extra argument (foo): {TAKES}"),
        (("theory", "--rate"), f"Option '--rate' requires an argument: {TAKES}"),
        (("theory", "--json=3"), f"Option '--json' does not take a value: {TAKES}"),
        (("thoery",), "No such command 'thoery': did you mean theory? iolab --help lists the commands"),
        (("xyz",), "No such command 'xyz': iolab --help lists the commands"),
        (("--bogus",), "No such option '--bogus': iolab --help lists the options"),
        (("theory", "--rate", "nan"), "RATE=nan: must be a number from 0.000001 to 1,000,000,000"),
    ],
)
def test_each_line_says_what_to_type(
    arguments: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iolab", *arguments])
    assert cli.run() == 2
    assert capsys.readouterr().err == f"iolab: {line}\n"
