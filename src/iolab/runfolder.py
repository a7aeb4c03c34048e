"""Writes and reads results/: atomic, append-only. Nothing measured is overwritten or lost."""

import csv
import gzip
import io
import math
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from iolab.crowd_records import OUTCOMES, Click, CrowdRecord, Entry
from iolab.errors import UsageError
from iolab.exhibition import Pair
from iolab.experiment import Experiment
from iolab.fault_records import FaultsRun, Heard, Parting, Pressed
from iolab.records import OpenSample, OpenTrialRecord, RunInfo, Sample, Summary, TrialRecord

OTHERS = {
    "freeze": "a standstill",
    "chess": "a chess exhibition",
    "break": "servers that were broken on purpose",
    "faults": "faults of a crowd",
}

Trials = TypeVar("Trials", TrialRecord, OpenTrialRecord, CrowdRecord)
Whole = TypeVar("Whole", RunInfo, FaultsRun)
Row = TypeVar("Row")


class RunFolder:
    """The folder of one run; the only code that knows its files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, experiment: str, *, newest: bool = True) -> "RunFolder":
        """Make a new folder under `results`, named by UTC time and experiment.

        results/latest points to it then, unless `newest` is false: what is there must be a run that can be reported.
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
        (path / "samples").mkdir()
        if newest:
            link = results / f".latest-{os.getpid()}"
            link.symlink_to(path.name)
            link.replace(results / "latest")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Return the run folder at `path`; raises UsageError where there is none."""
        for name, what in OTHERS.items():
            if (path / f"{name}.json").is_file():
                raise UsageError(f"{path} holds {what}, not a benchmark: its page is {path / f'{name}.html'}")
        if not (path / "run.json").is_file():
            raise UsageError(
                f"{path} is no run folder (it has no run.json); give one of results/, or run a benchmark first"
            )
        return cls(path.resolve())

    def write_run(self, info: RunInfo) -> None:
        """Write run.json anew, whole or not at all."""
        self.write("run.json", info.model_dump_json(by_alias=True, indent=2) + "\n")

    def append_trial(self, record: TrialRecord | CrowdRecord) -> None:
        """Append a line to trials.jsonl; it is on disk when this returns."""
        with (self.path / "trials.jsonl").open("a", encoding="utf-8") as file:
            file.write(record.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def drop_cut_line(self) -> None:
        """Take away a last line of trials.jsonl that a crash has cut, so that another can follow."""
        path = self.path / "trials.jsonl"
        content = path.read_bytes() if path.exists() else b""
        if content and not content.endswith(b"\n"):
            self.write("trials.jsonl", content[: content.rfind(b"\n") + 1].decode())

    def write_samples(self, index: int, samples: Sequence[Sample] | Sequence[OpenSample] | Sequence[Pair]) -> str:
        """Write one trial's requests; return the path in the run folder."""
        return self._write_rows(
            f"samples/{index:04d}.csv.gz", samples[0]._fields if samples else Sample._fields, samples
        )

    def write_entries(self, index: int, entries: Sequence[Entry]) -> str:
        """Write how the users of one level of a crowd came; return the path in the run folder."""
        return self._write_rows(f"samples/{index:04d}-entries.csv.gz", Entry._fields, entries)

    def write_clicks(self, index: int, clicks: Sequence[Click]) -> str:
        """Write the clicks of one level of a crowd; return the path in the run folder."""
        return self._write_rows(f"samples/{index:04d}-clicks.csv.gz", Click._fields, clicks)

    def write_rows(self, name: str, rows: Sequence[Entry | Heard | Parting | Pressed]) -> str | None:
        """Write rows of one kind; return the path in the run folder, or None where there are none."""
        return self._write_rows(f"samples/{name}.csv.gz", rows[0]._fields, rows) if rows else None

    def _write_rows(self, name: str, fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(fields)
        writer.writerows([_cell(value) for value in row] for row in rows)
        self._replace(name, gzip.compress(text.getvalue().encode(), mtime=0))
        return name

    def write_summary(self, summary: Summary) -> None:
        """Write summary.json."""
        self.write("summary.json", summary.model_dump_json(by_alias=True, indent=2) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write the file `name`, whole or not at all."""
        self._replace(name, text.encode())

    def read_run(self) -> RunInfo:
        """Read run.json; raises UsageError where it is of another version or damaged."""
        return self._read_json("run.json", RunInfo)

    def _read_json(self, name: str, kind: type[Whole]) -> Whole:
        try:
            return kind.model_validate_json((self.path / name).read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = ": ".join(filter(None, [where, first["msg"]]))
            raise UsageError(f"{self.path / name}: {what}; it is damaged or of another version") from error

    def read_experiment(self, run: RunInfo) -> Experiment:
        """Return the experiment that run.json holds; raises UsageError where it is damaged."""
        try:
            return Experiment.model_validate(run.experiment)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{self.path / 'run.json'}: experiment.{where}: {first['msg']}") from error

    def read_trials(self) -> list[TrialRecord]:
        """Read trials.jsonl; a last line that was cut by a crash is left out."""
        return self._read_trials(TrialRecord)

    def read_open_trials(self) -> list[OpenTrialRecord]:
        """Read the trials.jsonl of an open loop."""
        return self._read_trials(OpenTrialRecord)

    def read_crowd(self) -> list[CrowdRecord]:
        """Read the trials.jsonl of a crowd: a line a level."""
        return self._read_trials(CrowdRecord)

    def _read_trials(self, kind: type[Trials]) -> list[Trials]:
        try:
            lines = (self.path / "trials.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        records: list[Trials] = []
        for number, line in enumerate(lines, 1):
            try:
                records.append(kind.model_validate_json(line))
            except ValidationError as error:
                if number < len(lines):
                    what = f"{error.errors()[0]['msg']}; take the line out, or the file from a copy"
                    raise UsageError(f"{self.path / 'trials.jsonl'}, line {number}: {what}") from error
        indices = [record.index for record in records]
        if len(set(indices)) < len(indices):
            twice = next(index for index in indices if indices.count(index) > 1)
            raise UsageError(f"{self.path / 'trials.jsonl'} has trial {twice} twice: take one of the lines out")
        return records

    def read_samples(self, name: str) -> list[Sample]:
        """Read what write_samples wrote."""
        return self._rows(name, lambda row: Sample(_number(row[0]), _number(row[1]), int(row[2])))

    def read_open_samples(self, name: str) -> list[OpenSample]:
        """Read what write_samples wrote of an open loop."""

        def sample(row: list[str]) -> OpenSample:
            planned, sent, done, status, service, *worker = row  # runs before there were workers have no last one
            times = (_time(planned), _time(sent), _time(done))
            return OpenSample(*times, int(status), _number(service), int(worker[0]) if worker else 0)

        return self._rows(name, sample)

    def read_entries(self, name: str) -> list[Entry]:
        """Read what write_entries wrote."""

        def entry(row: list[str]) -> Entry:
            user, came, connected, served, outcome = row
            if outcome not in OUTCOMES:
                raise ValueError(f"{outcome!r} is no outcome")
            return Entry(int(user), _time(came), _number(connected), _number(served), outcome)

        return self._rows(name, entry)

    def read_clicks(self, name: str) -> list[Click]:
        """Read what write_clicks wrote."""

        def click(row: list[str]) -> Click:
            user, planned, sent, answered = row
            return Click(int(user), _time(planned), _time(sent), _number(answered))

        return self._rows(name, click)

    def read_pressed(self, name: str) -> list[Pressed]:
        """Read what write_rows wrote of clicks."""

        def pressed(row: list[str]) -> Pressed:
            token, user, planned, sent, answered = row
            return Pressed(token, int(user), _time(planned), _time(sent), _number(answered))

        return self._rows(name, pressed)

    def read_partings(self, name: str) -> list[Parting]:
        """Read what write_rows wrote of who lost the server."""
        return self._rows(name, lambda row: Parting(int(row[0]), _time(row[1])))

    def read_faults(self) -> FaultsRun:
        """Read faults.json; raises UsageError where it is of another version or damaged."""
        return self._read_json("faults.json", FaultsRun)

    def read_heard(self, name: str) -> list[Heard]:
        """Read what write_rows wrote of a message to everyone."""
        return self._rows(name, lambda row: Heard(int(row[0]), int(row[1]), _time(row[2])))

    def _rows(self, name: str, made: Callable[[list[str]], Row]) -> list[Row]:
        try:
            with gzip.open(self.path / name, "rt", encoding="utf-8", newline="") as file:
                return [made(row) for row in list(csv.reader(file))[1:]]
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise UsageError(f"{self.path / name} cannot be read: {error}") from error

    def _replace(self, name: str, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=".writing-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(self.path / name)


def _cell(value: float | str | None) -> str:
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)


def _number(text: str) -> float | None:
    return _time(text) if text else None


def _time(text: str) -> float:
    """Return a number; raises ValueError for what is none, such as "nan", which would go on into every mean."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no time")
    return value
