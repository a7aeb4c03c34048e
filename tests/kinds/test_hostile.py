"""A run folder is data: whatever one value of it is replaced with, it is reported or refused in a line, in time."""

import functools
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iolab.cli import header as cli_header
from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.report import markdown, pages
from iolab.report.document import Block, Document, Figure, Folded, Section
from iolab.report.summary import summary
from iolab.results.folder import RunFolder
from tests.kinds.recordings import KINDS, recording

VALUES: list[Any] = [
    None, "", "x", "../../etc", "\x1b]0;title\x07", "$\\frac{ x$", "<script>", True, -1, 0, 0.5, 1e308, -1e308, 10**18,
    [], {}, [None], "é" * 3000,
]  # fmt: skip
PARTS, TRIES = 4, 30  # of a kind: a test each, so that no process has all of a kind to do while the others have ended
LIMIT_S = 20.0


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, tables and lists included."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy in which one value is another one."""
    copy = json.loads(json.dumps(tree))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


def one_form(block: Block, narrow: bool) -> Block:
    """Return a block whose figures are drawn in one of the two forms, which takes half the time."""
    if isinstance(block, Figure):
        drawn = functools.cache(lambda: block.draw(narrow))
        return replace(block, draw=lambda _: drawn())
    if isinstance(block, Folded):
        return replace(block, blocks=[one_form(each, narrow) for each in block.blocks])
    return block


def in_one_form(document: Document, narrow: bool) -> Document:
    """Return a document whose figures are drawn in one of the two forms."""

    def of(sections: Sequence[Section]) -> list[Section]:
        return [replace(each, blocks=[one_form(block, narrow) for block in each.blocks]) for each in sections]

    return replace(document, answer=of(document.answer), details=of(document.details))


def whole(folder: Path, narrow: bool) -> None:
    """Make everything of a run that a command makes; of each figure one of its two forms."""
    run = RunFolder.open(folder)
    report = registry.kind_of(run).report(run)
    document = cli_header.headed(report.document(), run)
    summary(run.read_run(), document, report.cells, report.facts)
    markdown.render(document)
    pages.render(in_one_form(document, narrow))


@pytest.mark.load
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_one_value_replaced_is_reported_or_refused_in_a_line(kind: str, part: int, tmp_path: Path) -> None:
    clean = recording(kind, tmp_path / "results").path
    run = json.loads((clean / "run.json").read_text())
    line = json.loads((clean / "trials.jsonl").read_text().splitlines()[0])
    places = [("run", path) for path in leaves(run)] + [("trial", path) for path in leaves(line)]
    draw = random.Random(kind)
    drawn = [(*draw.choice(places), draw.choice(VALUES)) for _ in range(PARTS * TRIES)]
    assert mistakes(clean, drawn[part::PARTS]) == []


@pytest.mark.load
@pytest.mark.parametrize(
    ("kind", "file", "path", "value"),
    [
        ("break", "trial", ("machine", "group_quota"), 0),
        ("closed", "run", ("environment", "cores"), "é"),
        ("closed", "run", ("environment", "cores"), True),
    ],
)
def test_a_value_that_once_broke_a_report_does_not(
    kind: str, file: str, path: tuple[str, ...], value: Any, tmp_path: Path
) -> None:
    assert mistakes(recording(kind, tmp_path / "results").path, [(file, path, value)]) == []


def mistakes(clean: Path, drawn: Sequence[tuple[str, tuple[Any, ...], Any]]) -> list[str]:
    """Return what went wrong in reports of copies of a run in which one value, of a file, is another one."""
    run = json.loads((clean / "run.json").read_text())
    lines = [json.loads(line) for line in (clean / "trials.jsonl").read_text().splitlines()]
    found = []
    for number, (file, path, value) in enumerate(drawn):
        folder = clean.parents[1] / f"{number}"
        shutil.copytree(clean, folder)
        if file == "run":
            (folder / "run.json").write_text(json.dumps(replaced(run, path, value)))
        else:
            changed = [replaced(lines[0], path, value), *lines[1:]]
            (folder / "trials.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in changed))
        began = time.monotonic()
        what = f"{file} {'.'.join(map(str, path))} = {value!r:.60}"
        try:
            whole(folder, narrow=number % 2 == 0)
        except UsageError as refused:
            if "\n" in str(refused):
                found.append(f"{what}: more than a line")
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            found.append(f"{what}: {type(error).__name__}: {error}")
        if time.monotonic() - began > LIMIT_S:
            found.append(f"{what}: {time.monotonic() - began:.0f} s")
        shutil.rmtree(folder)
    return found
