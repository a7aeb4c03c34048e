"""The outcome of all promises of one server, as a value and as a file: results/contract/<model>.json."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from iolab.contract import suite
from iolab.contract.promise import Kept
from iolab.errors import UsageError
from iolab.lab import Lab, Model
from iolab.results import files

FOLDER = "contract"


class Outcome(BaseModel):
    """Which promises the server kept whose program is `file`, with this SHA-256, at this time (UTC)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    letter: str
    file: str
    sha256: str
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    promises: tuple[Kept, ...]

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know it as a property's
    @property
    def passed(self) -> bool:
        """Whether all promises are kept; extras do not count."""
        return all(each.kept for each in self.promises if not each.extra)

    def is_of(self, program: bytes) -> bool:
        """Return whether this is the outcome of a program."""
        return self.sha256 == digest(program)


def digest(program: bytes) -> str:
    """Return the SHA-256 of a program."""
    return hashlib.sha256(program).hexdigest()


def outcome(lab: Lab, model: Model, program: bytes, results: tuple[Kept, ...]) -> Outcome:
    """Return the outcome of a server; raises UsageError if its file is not the program any more that was started."""
    path = suite.script(model)
    if suite.source(lab, model) != program:
        raise UsageError(f"{path.name} was changed during the test: run make contract again")
    file = str(path.relative_to(lab.root) if path.is_relative_to(lab.root) else path)
    return Outcome(model=model.name, letter=model.letter, file=file, sha256=digest(program), promises=results)


def place(results: Path, model: str) -> Path:
    """Return the file of a model's newest outcome, in the folder of all results."""
    return results / FOLDER / f"{model}.json"


def write(results: Path, found: Outcome) -> Path:
    """Write an outcome, which replaces that of an earlier test of the same model, and return its file."""
    path = place(results, found.model)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, found.model_dump_json(indent=1).encode() + b"\n")
    return path


def read(results: Path, model: str) -> Outcome | None:
    """Return the newest outcome of a model; None if there is none that can be read."""
    try:
        return Outcome.model_validate_json(files.read(place(results, model)))
    except (OSError, UsageError, ValidationError):
        return None
