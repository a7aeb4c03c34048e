"""Writes and reads results/: atomic, append-only. Nothing measured is overwritten or lost."""

import csv
import gzip
import io
import math
import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.records import OpenSample, OpenTrialRecord, RunInfo, Sample, Summary, TrialRecord

Trials = TypeVar("Trials", bound=TrialRecord)
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
        (path / "samples").mkdir()
        if newest:
            link = results / f".latest-{os.getpid()}"
            link.symlink_to(path.name)
            link.replace(results / "latest")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Return the run folder at `path`; raises UsageError where there is none."""
        if (path / "freeze.json").is_file():
            raise UsageError(f"{path} holds a standstill, not a benchmark: its page is {path / 'freeze.html'}")
        if not (path / "run.json").is_file():
            raise UsageError(
                f"{path} is no run folder (it has no run.json); give one of results/, or run a benchmark first"
            )
        return cls(path.resolve())

    def write_run(self, info: RunInfo) -> None:
        """Write run.json anew, whole or not at all."""
        self.write("run.json", info.model_dump_json(by_alias=True, indent=2) + "\n")

    def append_trial(self, record: TrialRecord) -> None:
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

    def write_samples(self, index: int, samples: Sequence[Sample] | Sequence[OpenSample]) -> str:
        """Write one trial's requests; return the path in the run folder."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(samples[0]._fields if samples else Sample._fields)
        for sample in samples:
            rows.writerow(
                [value if isinstance(value, int) else _cell(value) for name, value in sample._asdict().items()]
            )
        name = f"samples/{index:04d}.csv.gz"
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
        try:
            return RunInfo.model_validate_json((self.path / "run.json").read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = ": ".join(filter(None, [where, first["msg"]]))
            raise UsageError(f"{self.path / 'run.json'}: {what}; it is damaged or of another version") from error

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


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _number(text: str) -> float | None:
    return _time(text) if text else None


def _time(text: str) -> float:
    """Return a number; raises ValueError for what is none, such as "nan", which would go on into every mean."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no time")
    return value
