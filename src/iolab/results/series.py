"""The file of a series of interleaved runs: what each side measures, and which run folders there are so far."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from iolab.errors import UsageError
from iolab.results import files
from iolab.results.records import Record
from iolab.results.run_info import RuntimeName

FOLDER = "ab"  # in the results

Name = Literal["A", "B"]


class SeriesSide(Record):
    """What one side measures: its settings as they were typed, and the experiment with all settings."""

    given: str
    experiment: dict[str, Any]
    file: str
    changed: dict[str, str]
    runtime: RuntimeName


class SeriesRun(Record):
    """A run of the series; `round` counts from 1, `run` is the name of its folder beside the series' own."""

    side: Name
    round: int
    run: str


class Series(Record):
    """A series: `rounds` runs of each side."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    a: SeriesSide
    b: SeriesSide
    rounds: int
    runs: tuple[SeriesRun, ...] = ()

    model_config = ConfigDict(populate_by_name=True)

    def side(self, name: Name) -> SeriesSide:
        """Return what a side measures."""
        return self.a if name == "A" else self.b

    def run_of(self, side: Name, number: int) -> SeriesRun | None:
        """Return the run of a side in a round, if there is one."""
        return next((each for each in self.runs if (each.side, each.round) == (side, number)), None)

    def with_run(self, run: SeriesRun) -> "Series":
        """Return the series with a run, which takes the place of an earlier one of the same side and round."""
        others = [each for each in self.runs if (each.side, each.round) != (run.side, run.round)]
        return self.model_copy(update={"runs": (*others, run)})


def new_path(results: Path) -> Path:
    """Return the path of a new series' file."""
    return results / FOLDER / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"


def write(path: Path, series: Series) -> None:
    """Write a series' file, whole or not at all; raises UsageError if its folder cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path.parent}: {error.strerror}: choose another folder (RESULTS)") from error
    files.write(path, (series.model_dump_json(by_alias=True, indent=1) + "\n").encode())


def read(path: Path) -> Series:
    """Read a series' file; raises UsageError if it is not there, damaged, or something else."""
    try:
        return Series.model_validate_json(files.read(path))
    except OSError as error:
        raise UsageError(
            f"RESUME={path}: {error.strerror}: give the file that make ab named, results/ab/..."
        ) from error
    except ValidationError as error:
        raise UsageError(f"RESUME={path} is not the file of a series of make ab: give one of results/ab/") from error
