"""The journal of a student: a line for each thing that was recorded, each with the hash of the line before."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from iolab.errors import UsageError
from iolab.results import files

FIRST = "0" * 64  # what the first line has instead of a hash
Clock = Callable[[], datetime]
Entry = Mapping[str, Any]  # the fields of _Line that the line has


class _Line(BaseModel):
    """What a line may have: a student can write anything into the file."""

    model_config = ConfigDict(extra="ignore", strict=True)

    at: str
    what: str
    step: str = ""
    values: Mapping[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    text: str = ""
    number: int = 0
    name: str = ""
    sha256: str = ""
    made: str = ""
    student: str = ""
    term: str = ""

    @field_validator("at")
    @classmethod
    def _is_a_moment(cls, value: str) -> str:
        if moment(value) is None:
            raise ValueError("no time with a time zone")
        return value


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Journal:
    """journal.jsonl: lines are added, never changed; each is on disk when `add` returns."""

    def __init__(self, path: Path, clock: Clock = now) -> None:
        self.path, self._clock = path, clock
        self._alone = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from adding lines: the page and a terminal write into one journal.

        What is decided by the lines that are there belongs into one `alone()` with the line that follows from it. The
        kernel releases the lock when its holder ends.
        """
        if self._alone:
            yield
            return
        # Not the journal itself: it is replaced where a crash cut its last line off.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.path.with_name(f".{self.path.name}.lock"), flags, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._alone = True
            yield
        finally:
            self._alone = False
            os.close(descriptor)

    def add(self, what: str, **values: Any) -> Entry:
        """Add a line; raises UsageError where the journal was changed by hand, which would hide that."""
        with self.alone():
            return self._add(what, values)

    def _add(self, what: str, values: Mapping[str, Any]) -> Entry:
        lines = self._lines()
        if (broken := _broken(lines)) is not None:
            raise UsageError(f"{os.path.relpath(self.path)}, line {broken}: it was changed; take it from a copy")
        whole = b"".join(line + b"\n" for line in lines)
        if lines and files.read(self.path) != whole:  # a crash cut the last line off
            files.write(self.path, whole)
        entry = {"at": self._clock().isoformat(), "what": what, **values, "before": digest(lines)}
        files.append(self.path, json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        return entry

    def entries(self) -> list[Entry]:
        """Return all lines that are entries; others, and a last line that a crash cut off, are left out."""
        found: list[Entry] = []
        for line in self._lines():
            try:
                found.append(_Line.model_validate_json(line).model_dump(exclude_unset=True))
            except ValidationError:
                continue
        return found

    def broken(self) -> int | None:
        """Return the number of the first line that does not follow from the one before it; None if all do."""
        return _broken(self._lines())

    def _lines(self) -> list[bytes]:
        try:
            content = files.read(self.path)
        except FileNotFoundError:
            return []
        if content and not content.endswith(b"\n"):
            content = content[: content.rfind(b"\n") + 1]
        return content.splitlines()


def at(entry: Entry) -> datetime | None:
    """Return when a line was written; None if it does not say so."""
    return moment(entry.get("at"))


def moment(text: Any) -> datetime | None:
    """Return a time with a time zone, as the journal has it; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def digest(lines: list[bytes]) -> str:
    """Return the hash that the next line must have."""
    return hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST


def _broken(lines: list[bytes]) -> int | None:
    for number, line in enumerate(lines, 1):
        try:
            before = json.loads(line)["before"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return number
        if before != digest(lines[: number - 1]):
            return number
    return None
