"""Encodes rows, which are NamedTuples of numbers and words, as lines of a compressed CSV file, and decodes them."""

import csv
import functools
import gzip
import io
import math
import types
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO, TypeVar, Union, get_args, get_origin, get_type_hints

Row = TypeVar("Row", bound=NamedTuple)
MOST_ROWS = 2_000_000  # of a file: ten times those of the largest experiment
MOST_CHARACTERS = 400_000_000  # of a file that is unpacked: a row of a measurement has some 40
LONGEST = 10_000  # characters of a line


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


def _made(kind: type[Row], lines: Iterable[list[str]]) -> Iterable[Row]:
    readers, mistake = _readers(kind), getattr(kind, "mistake", None)
    for line in lines:
        if len(line) != len(readers):
            raise ValueError(f"a line has {len(line)} values, not {len(readers)}")
        row = kind(*[read(value) for read, value in zip(readers, line, strict=True)])
        if mistake and (fault := mistake(row)):
            raise ValueError(f"{', '.join(line)}: {fault}")
        yield row


def backwards(*times_s: float | None) -> str:
    """Return what is wrong with times that must not decrease, of which None are left out; "" if nothing is wrong."""
    known = [time_s for time_s in times_s if time_s is not None]
    return "its times run backwards" if known != sorted(known) else ""


@functools.cache
def _readers(kind: type[Any]) -> tuple[Callable[[str], Any], ...]:
    return tuple(_reader(hint) for hint in get_type_hints(kind).values())


def _reader(hint: Any) -> Callable[[str], Any]:
    """Return the parser of a column of that type: int, float, str, a Literal, or one of these or None."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (_reader(each) for each in get_args(hint) if each is not type(None))
        return lambda text: inner(text) if text else None
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return lambda text: _one_of(words, text)
    plain: dict[Any, Callable[[str], Any]] = {int: int, float: _finite, str: str}
    return plain[hint]


def _one_of(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError(f"{text!r} must be one of {', '.join(words)}")
    return text


def _finite(text: str) -> float:
    """Return a number; raises ValueError for a value that is not finite: it would spoil every mean."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _text(value: float | str | None) -> str:
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)
