"""docs/trace.md quotes recorded logs: each quoted line stands in the log under its number."""

import gzip
import re

from tests.conftest import ROOT

EXAMPLE = re.compile(r"make trace LOG=(\S+\.gz)[^\n]*\n```\n\n```text\n(.*?)\n```", re.DOTALL)
QUOTED = re.compile(r"^ {3,6}(\d+) (\d+ +\d+\.\d{6} .*)$", re.MULTILINE)  # its first row


def test_each_quoted_line_is_that_of_the_log() -> None:
    examples = EXAMPLE.findall((ROOT / "docs" / "trace.md").read_text(encoding="utf-8"))
    assert len(examples) == 2
    for path, text in examples:
        lines = ["", *gzip.decompress((ROOT / path).read_bytes()).decode("latin-1").splitlines()]
        quotes = QUOTED.findall(text)
        assert len(quotes) >= 6
        for number, row in quotes:
            assert lines[int(number)].startswith(row.split(" … ")[0]), (path, number)
