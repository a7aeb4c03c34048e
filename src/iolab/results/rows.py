"""Encodes rows, which are NamedTuples of numbers and words, as lines of a compressed CSV file, and decodes them."""

import csv
import functools
import gzip
import io
import itertools
import math
import types
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO, TypeVar, Union, get_args, get_origin, get_type_hints

Row = TypeVar("Row", bound=NamedTuple)
Texts = Sequence[str]  # of a column, as they are written
Reader = Callable[[Texts], Sequence[Any]]
MOST_ROWS = 2_000_000  # of a file: ten times those of the largest experiment
MOST_CHARACTERS = 400_000_000  # of a file that is unpacked: a row of a measurement has some 40
LONGEST = 10_000  # characters of a line
AT_ONCE = 1000  # rows that are read together: at most 10 MB of text, whatever the file is


def encoded(rows: Sequence[NamedTuple]) -> bytes:
    """Return rows of one kind as a compressed CSV file; its first line has the names of their fields."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0]._fields)
    writer.writerows([_text(value) for value in row] for row in rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def decoded(path: Path, kind: type[Row]) -> list[Row]:
    """Read rows of that kind; raises ValueError for a damaged file or another kind, OSError if there is no file.

    A kind may have a method `mistake`, which returns what is wrong with a row, or "".
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            lines = csv.reader(_bounded(file))
            fields = next(lines, [])
            if tuple(fields) != kind._fields:
                raise ValueError(f"it has the columns {', '.join(fields)}, not {', '.join(kind._fields)}")
            return list(_made(kind, lines))
    except (EOFError, zlib.error, csv.Error) as error:
        raise ValueError(str(error)) from error


def _bounded(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file; raises ValueError for more or longer lines than a measurement writes."""
    characters = 0
    for number, line in enumerate(iter(partial(file.readline, LONGEST), "")):
        characters += len(line)
        if number > MOST_ROWS or characters > MOST_CHARACTERS:
            most = f"{MOST_ROWS:,} rows" if number > MOST_ROWS else f"{MOST_CHARACTERS:,} characters"
            raise ValueError(f"it has more than {most}: it is no file of a run")
        if len(line) == LONGEST:
            raise ValueError(f"line {number + 1} has {LONGEST:,} characters or more: it is no file of a run")
        yield line


def _made(kind: type[Row], lines: Iterator[list[str]]) -> Iterator[Row]:
    """Yield the rows of lines, read column by column: a file takes three fifths of the time of row by row."""
    readers, mistake = _readers(kind), getattr(kind, "mistake", None)
    while some := list(itertools.islice(lines, AT_ONCE)):
        for number in {len(line) for line in some} - {len(readers)}:
            raise ValueError(f"a line has {number} values, not {len(readers)}")
        columns = [read(column) for read, column in zip(readers, zip(*some, strict=True), strict=True)]
        for line, row in zip(some, map(kind._make, zip(*columns, strict=True)), strict=True):
            if mistake and (fault := mistake(row)):
                raise ValueError(f"{', '.join(line)}: {fault}")
            yield row


def backwards(*times_s: float | None) -> str:
    """Return what is wrong with times that must not decrease, of which None are left out; "" if nothing is wrong."""
    latest = -math.inf
    for time_s in times_s:
        if time_s is None:
            continue
        if time_s < latest:
            return "its times run backwards"
        latest = time_s
    return ""


@functools.cache
def _readers(kind: type[Any]) -> tuple[Reader, ...]:
    return tuple(_reader(hint) for hint in get_type_hints(kind).values())


def _reader(hint: Any) -> Reader:
    """Return the parser of a column of that type: int, float, str, a Literal, or one of these or None."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (_reader(each) for each in get_args(hint) if each is not type(None))
        return partial(_some, inner)
    if get_origin(hint) is Literal:
        return partial(_words, get_args(hint))
    plain: dict[Any, Reader] = {int: _whole, float: _finite, str: tuple}
    return plain[hint]


def _some(inner: Reader, texts: Texts) -> Sequence[Any]:
    """Read a column in which some values are empty: None."""
    if "" not in texts:
        return inner(texts)
    known = iter(inner([text for text in texts if text]))
    return [next(known) if text else None for text in texts]


def _words(words: tuple[str, ...], texts: Texts) -> Texts:
    for text in texts:
        if text not in words:
            raise ValueError(f"{text!r} must be one of {', '.join(words)}")
    return texts


def _whole(texts: Texts) -> list[int]:
    return [*map(int, texts)]


def _finite(texts: Texts) -> list[float]:
    """Return numbers; raises ValueError for a value that is not finite: it would spoil every mean."""
    values = [*map(float, texts)]
    for value, text in zip(values, texts, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{text} is not finite")
    return values


def _text(value: float | str | None) -> str:
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)
