"""Writes and reads results/: atomic, append-only. Nothing measured is overwritten or lost."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from iolab.errors import UsageError
from iolab.results import files
from iolab.results.records import Record, TrialRecord
from iolab.results.rows import Row, decoded, encoded
from iolab.results.run_info import RunInfo

LATEST = "latest"  # a link to the newest run
ROWS = re.compile(r"samples/\d+-[a-z]+(-\d+)?\.csv\.gz")  # the path of a file of rows
DAMAGED = "it is damaged or of another version: take it from a copy, or measure again"
Whole = TypeVar("Whole", bound=Record)
Trial = TypeVar("Trial", bound=TrialRecord)


class RunFolder:
    """The folder of one run; the only code that knows its files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, experiment: str, *, newest: bool = True) -> "RunFolder":
        """Make a new folder under `results`, named by UTC time and experiment.

        results/latest then points to it, unless `newest` is false: that link must point to a run with reports.
        """
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{experiment}"
        try:
            results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"RESULTS={results}: {error.strerror}: choose another folder") from error
        for number in range(1, 1000):
            path = results / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
                break
            except FileExistsError:
                continue
            except OSError as error:
                raise UsageError(f"RESULTS={results}: {error.strerror}: choose another folder") from error
        try:
            (path / "samples").mkdir()
        except OSError as error:  # such as a full disk
            path.rmdir()
            raise UsageError(f"RESULTS={results}: {error.strerror}: choose another folder") from error
        if newest:
            cls._link(results, path.name)
        return cls(path)

    @staticmethod
    def _link(results: Path, name: str) -> None:
        link = results / f".latest-{os.getpid()}"
        try:
            link.symlink_to(name)
            link.replace(results / LATEST)
        except OSError as error:
            link.unlink(missing_ok=True)
            raise UsageError(f"{results / LATEST}: {error.strerror}: it must be a link, or not be there") from error

    def discard(self) -> bool:
        """Remove a run of which nothing was measured; return whether it was so. The newest other is then the latest."""
        if self.has_trials() or any((self.path / "samples").iterdir()):
            return False
        shutil.rmtree(self.path)
        results, latest = self.path.parent, self.path.parent / LATEST
        if latest.is_symlink() and not latest.exists():
            others = self.newest_first(results)
            if others:
                self._link(results, others[0].path.name)
            else:
                latest.unlink()
        return True

    @classmethod
    def newest_first(cls, results: Path) -> "list[RunFolder]":
        """Return the run folders under `results`, the newest first: their names begin with the time in UTC."""
        runs = (path.parent for path in results.glob("*/run.json") if not path.parent.is_symlink())
        return [cls(path) for path in sorted(runs, key=lambda path: path.name, reverse=True)]

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Return the run folder at `path`; raises UsageError if there is no run folder."""
        if not (path / "run.json").is_file():
            raise UsageError(
                f"{path} is not a run folder (it has no run.json); give a folder of results/, or run a benchmark first"
            )
        return cls(path.resolve())

    def write_run(self, info: RunInfo) -> None:
        """Write run.json, whole or not at all."""
        self.write("run.json", info.model_dump_json(by_alias=True, indent=2) + "\n")

    def append(self, record: TrialRecord) -> None:
        """Append a line to trials.jsonl; it is on disk when this returns."""
        files.append(self.path / "trials.jsonl", record.model_dump_json().encode() + b"\n")

    def has_trials(self) -> bool:
        """Return whether any trial has ended; a line that a crash cut off does not count."""
        path = self.path / "trials.jsonl"
        return path.exists() and b"\n" in files.read(path)

    def count_trials(self) -> int:
        """Return how many trials are on disk, of whatever kind; one that was measured again counts once."""
        path = self.path / "trials.jsonl"
        lines = files.read(path).splitlines() if path.exists() else []
        found: set[int] = set()
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # a line that a crash cut off
                found.add(json.loads(line)["index"])
        return len(found)

    def drop_cut_line(self) -> None:
        """Remove what a crash left: unfinished files, and a last line of trials.jsonl that is cut off."""
        files.sweep(self.path)
        files.sweep(self.path / "samples")
        path = self.path / "trials.jsonl"
        content = files.read(path) if path.exists() else b""
        if content and not content.endswith(b"\n"):
            self.write("trials.jsonl", content[: content.rfind(b"\n") + 1].decode())

    def write_rows(self, index: int, **kinds: Sequence[NamedTuple]) -> dict[str, str]:
        """Write the rows of a trial, one file for each kind; return the paths in the run folder of kinds with rows.

        Existing rows of an earlier try of the same trial stay: the new files then have a number in their names.
        """
        names = {kind: self._unused(f"samples/{index:04d}-{kind}") for kind, rows in kinds.items() if rows}
        for kind, name in names.items():
            files.write(self.path / name, encoded(kinds[kind]))
        return names

    def read_rows(self, rows: Mapping[str, str], kind: str, row: type[Row]) -> list[Row]:
        """Read one kind of a trial's `rows`, [] if there are none; raises UsageError if they are damaged."""
        if kind not in rows:
            return []
        if not ROWS.fullmatch(rows[kind]):
            raise UsageError(
                f"{self.path / 'trials.jsonl'}: {rows[kind]!r} is no file of {kind} in samples/: {DAMAGED}"
            )
        path = self.path / rows[kind]
        try:
            files.check_folder(path.parent)
            files.check_regular(path)
            return decoded(path, row)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error

    def rows_of(self, trial: TrialRecord, kind: str, row: type[Row], expected: int | None = None) -> list[Row]:
        """Read the rows of one kind that a trial must have; raises UsageError if they are damaged or too few.

        If their number is not known, a valid trial has at least one.
        """
        rows = self.read_rows(trial.rows, kind, row)
        if len(rows) != expected if expected is not None else trial.valid and not rows:
            path = self.path / trial.rows.get(kind, "samples")
            wanted = "some" if expected is None else expected
            raise UsageError(f"{path} has {len(rows)} rows, but trial {trial.index} has {wanted} {kind}: it is damaged")
        return rows

    def write(self, name: str, text: str) -> None:
        """Write the file `name`, completely or not at all."""
        files.write(self.path / name, text.encode())

    def read_run(self) -> RunInfo:
        """Read run.json; raises UsageError if it is of another version or damaged."""
        return self.read_json("run.json", RunInfo)

    def read_json(self, name: str, kind: type[Whole]) -> Whole:
        """Read a file of one object; raises UsageError if it is of another version or damaged."""
        try:
            return kind.model_validate_json(files.read(self.path / name))
        except ValidationError as error:
            what = _first_mistake(error)
            raise UsageError(f"{self.path / name}: {what}; {DAMAGED}") from error

    def read_trials(self, kind: type[Trial]) -> list[Trial]:
        """Read trials.jsonl, whose lines are of that kind; a last line that a crash cut off is left out.

        A trial that was not valid can have a second line, from the resumed run: the newest line counts, at the place of
        the first.
        """
        try:
            content = files.read(self.path / "trials.jsonl")
        except FileNotFoundError:
            return []
        lines, cut = content.splitlines(), not content.endswith(b"\n")
        records: dict[int, Trial] = {}
        for number, line in enumerate(lines, 1):
            try:
                record = kind.model_validate_json(line)
            except ValidationError as error:
                if number < len(lines) or not cut:
                    what = f"{_first_mistake(error)}; remove the line, or take the file from a copy"
                    raise UsageError(f"{self.path / 'trials.jsonl'}, line {number}: {what}") from error
                break
            before = records.get(record.index)
            if before and before.valid:
                raise UsageError(
                    f"{self.path / 'trials.jsonl'} has trial {record.index} twice: remove one of the lines"
                )
            records[record.index] = record
        return list(records.values())

    def _unused(self, stem: str) -> str:
        names = (f"{stem}{suffix}.csv.gz" for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
        return next(name for name in names if not (self.path / name).exists())


def _first_mistake(error: ValidationError) -> str:
    first = error.errors()[0]
    return ": ".join(filter(None, [".".join(str(part) for part in first["loc"]), first["msg"]]))
